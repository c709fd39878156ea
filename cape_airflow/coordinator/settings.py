"""Settings of the coordinator: from the caller, ``CAPE_*`` environment variables, or the file of ``CAPE_CONFIG``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from cape_airflow.coordinator.audit.sinks import AnySink, Webhook
from cape_airflow.coordinator.configuration import file_source
from cape_airflow.errors import CoordinatorError

Positive = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """What a coordinator needs to know before it starts.

    Args:
        home: folder of the embedded database and root key; made with mode 0700.
        db_url: ``postgresql://user:password@host/database`` or ``sqlite:////path``; SQLite in `home` by default.
        db_role: the role of PostgreSQL that the service runs as, where another one owns the tables and migrates.
        root_key: base64url of 32 bytes; wraps project keys and the signing key. Must be given with PostgreSQL.
        root_key_file: a file of mode 0600 that holds it; `home`/root.key by default, made at the first start.
        root_key_uri: where a key service keeps the key that wraps it, in place of both: ``aws-kms://ARN``.
        tls_cert, tls_key: PEM files for `serve`; without them it speaks plain HTTP.
        body_limit: bytes of a request body.
        body_seconds: how long a client may take to send one.
        failures_per_minute: failed authentications per client address before the answer is 429.
        concurrency: requests that may read at once, and as many that may write; SQLite takes one that writes.
        queue_seconds: how long a request waits for its turn before the answer is 503.
        lock_seconds: how long it then waits for another transaction before the answer is 503.
        schedulers: TOML file that names other schedulers; None for none.
        poll_seconds: how often each of them is asked.
        audit_checkpoints: the file of the checkpoints of the audit log; `home`/audit-checkpoints.jsonl by default.
        checkpoint_seconds, checkpoint_rows: after how long, or how many rows, the next one is due.
        checkpoint_webhook: a web service that gets each of them, too.
        audit_sinks: where else the audit log goes: a name, and what is there.
        metrics_bind: ``address:port`` that answers ``/metrics`` to everybody who reaches it; None for none.
        public_url: where people find the coordinator; links in mails begin with it.
        smtp_host, smtp_port, smtp_security: the server for mails; none goes out without one. `smtp_security` is
            ``starttls``, ``tls`` from the first byte, or ``none`` for a server on this machine.
        smtp_user, smtp_password, smtp_from, smtp_ca: who sends, and PEM file of who vouches for the server.
        airflow_admins, airflow_auditors: roles of Airflow whose people are admins and auditors here, where the
            coordinator is embedded; with both empty, an admin here says who is one.
        oidc_issuer, oidc_client_id, oidc_client_secret: the OpenID provider that people log in with; None for none.
        oidc_groups_claim, oidc_admins, oidc_auditors: which claim lists a person's groups, and the groups whose people
            are admins and auditors here; with both empty, an admin here says who is one.
        oidc_new_users: whether whom the provider knows and we do not becomes a user.
        log_format: ``text`` for people, ``json`` for one object per line.
        log_level: what is written at least.

    Raises:
        CoordinatorError: the file of CAPE_CONFIG is refused.
    """

    model_config = SettingsConfigDict(env_prefix="CAPE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path = Path("~/.cape/coordinator")
    db_url: SecretStr | None = None
    db_role: str | None = None
    root_key: SecretStr | None = None
    root_key_file: Path | None = None
    root_key_uri: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    body_limit: Positive = 1024 * 1024
    body_seconds: Annotated[float, Field(gt=0)] = 10.0
    failures_per_minute: Positive = 10
    concurrency: Positive = 16
    queue_seconds: Annotated[float, Field(gt=0)] = 10.0
    lock_seconds: Positive = 5
    schedulers: Path | None = None
    poll_seconds: Positive = 60
    audit_checkpoints: Path | None = None
    checkpoint_seconds: Positive = 60
    checkpoint_rows: Positive = 1000
    checkpoint_webhook: Webhook | None = None
    audit_sinks: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")], AnySink] = Field(default_factory=dict)
    metrics_bind: Annotated[str, Field(pattern=r"^[^:\s]+:[0-9]{1,5}$")] | None = None
    public_url: str | None = None
    smtp_host: str | None = None
    smtp_port: Positive = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    smtp_ca: Path | None = None
    airflow_admins: frozenset[str] = frozenset()
    airflow_auditors: frozenset[str] = frozenset()
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_groups_claim: str = "groups"
    oidc_admins: frozenset[str] = frozenset()
    oidc_auditors: frozenset[str] = frozenset()
    oidc_new_users: bool = False
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from: the caller, the environment, and last the file."""
        return init_settings, env_settings, file_source(settings_cls)

    @model_validator(mode="after")
    def _mails_say_where(self) -> Settings:
        if self.smtp_host is not None and (self.public_url is None or self.smtp_from is None):
            raise ValueError("smtp_host needs public_url, which links in mails begin with, and smtp_from")
        return self

    @model_validator(mode="after")
    def _provider_is_complete(self) -> Settings:
        if self.oidc_issuer is None:
            return self
        if self.oidc_client_id is None or self.oidc_client_secret is None:
            raise ValueError("oidc_issuer needs oidc_client_id and oidc_client_secret")
        provider = urlsplit(self.oidc_issuer)
        if provider.scheme != "https" and provider.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("oidc_issuer must be an https address")
        return self

    @property
    def folder(self) -> Path:
        """`home` with ``~`` resolved."""
        return self.home.expanduser()

    @property
    def checkpoints(self) -> Path:
        """The file of the checkpoints."""
        return (self.audit_checkpoints or self.folder / "audit-checkpoints.jsonl").expanduser()

    @property
    def database(self) -> URL:
        """The URL of the database, with its driver.

        Raises:
            CoordinatorError: the URL is none, or of another database.
        """
        if self.db_url is None:
            return URL.create("sqlite", database=str(self.folder / "coordinator.db"))
        try:
            url = make_url(self.db_url.get_secret_value())
        except ArgumentError:
            raise CoordinatorError("CAPE_DB_URL is not a URL; write postgresql://user@host/database") from None
        backend = url.get_backend_name()
        if backend in ("postgresql", "postgres"):
            return url.set(drivername="postgresql+psycopg")
        if backend == "sqlite" and url.database and url.database != ":memory:":
            return url.set(drivername="sqlite")
        raise CoordinatorError("CAPE_DB_URL must name a PostgreSQL database or a SQLite file")
