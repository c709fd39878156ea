"""Which schedulers there are: a TOML file that names their secrets and holds none.

[schedulers.cluster]
type = "yarn"
url = "https://rm.example.com:8090"
user = "cape"
password = {env = "RM_PASSWORD"}        # or token = {env = ...}, or {file = ...} for one that is replaced
projects = {"queue:payroll" = "payroll"}
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cape_airflow.errors import did_you_mean
from cape_airflow.jobs.schedulers.airflow import Airflow
from cape_airflow.jobs.schedulers.external import ExternalJob
from cape_airflow.jobs.schedulers.failures import SchedulerError
from cape_airflow.jobs.schedulers.kubernetes import Kubernetes
from cape_airflow.jobs.schedulers.mesos import Mesos
from cape_airflow.jobs.schedulers.rest import Credentials, Rest
from cape_airflow.jobs.schedulers.scheduler import Scheduler
from cape_airflow.jobs.schedulers.spark_history import SparkHistory
from cape_airflow.jobs.schedulers.spark_master import SparkMaster
from cape_airflow.jobs.schedulers.yarn import Yarn
from cape_airflow.keys import Secret

Kind = Literal["airflow", "kubernetes", "mesos", "spark-history", "spark-master", "yarn"]

_ADAPTERS: Mapping[str, type[Scheduler]] = {
    "airflow": Airflow,
    "mesos": Mesos,
    "spark-history": SparkHistory,
    "spark-master": SparkMaster,
    "yarn": Yarn,
}


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _SecretReference(_Written):
    """Where a secret is: in an environment variable, or in a file that somebody else may replace."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> _SecretReference:
        if (self.env is None) == (self.file is None):
            raise ValueError('name one place: {env = "VARIABLE"} or {file = "/path"}')
        return self

    def read(self) -> Secret:
        """Return the secret.

        Raises:
            SchedulerError: there is none.
        """
        if self.env is not None:
            text = os.environ.get(self.env, "")
        else:
            try:
                text = Path(str(self.file)).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise SchedulerError(f"the secret in the file {self.file} cannot be read") from None
        if not text:
            raise SchedulerError(f"there is no secret in {self.env or self.file}")
        if not all("!" <= char <= "~" or char == " " for char in text):
            raise SchedulerError(f"the secret in {self.env or self.file} holds characters that no HTTP header takes")
        return Secret(text.encode())


def _base_url(url: str) -> str:
    """Return the address without a trailing slash; says what is wrong with it without showing it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("write https://host[:port]")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("leave out user, password, query and fragment")
    return url.rstrip("/")


class SchedulerSettings(_Written):
    """How to reach a scheduler.

    Args:
        type: what it is. url: of its REST API, without credentials.
        user: of `password`; on YARN without security, who asks.
        ca_file: PEM file of certificate authorities; None for those of `certifi`.
        allow_http: send a secret over plain ``http`` to another machine.
        timeout: seconds for one request, the whole of it.
        namespace: of Kubernetes; None for all.
        projects: which project a job without a policy of ours belongs to: ``queue:``, ``user:`` or ``tag:`` and a name
            to the label of a project; the first that fits counts.
    """

    type: Kind
    url: Annotated[str, AfterValidator(_base_url)]
    user: str | None = None
    password: _SecretReference | None = Field(default=None, repr=False)
    token: _SecretReference | None = Field(default=None, repr=False)
    ca_file: str | None = None
    allow_http: bool = False
    timeout: Annotated[float, Field(gt=0, le=300)] = 20.0
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] | None = None
    projects: dict[Annotated[str, Field(pattern=r"^(queue|user|tag):.+$")], str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sensible(self) -> SchedulerSettings:
        if self.password and self.token:
            raise ValueError("give a password or a token, not both")
        if self.password and not self.user:
            raise ValueError("a password needs its user")
        if (self.password or self.token) and not self.allow_http and _shows_secrets(self.url):
            raise ValueError("plain http to another machine would show the secret to the network; use https")
        if self.namespace and self.type != "kubernetes":
            raise ValueError("only kubernetes has a namespace")
        return self

    def open(self, name: str) -> Scheduler:
        """Return the scheduler; nothing is asked of it yet."""
        password, token = self.password, self.token
        credentials = Credentials(self.user, password.read if password else None, token.read if token else None)
        rest = Rest(name, self.url, credentials, self.ca_file, self.timeout)
        return Kubernetes(rest, self.namespace) if self.type == "kubernetes" else _ADAPTERS[self.type](rest)

    def project_of(self, job: ExternalJob) -> str | None:
        """Return the label of the project that a job belongs to by these settings."""
        marks = {f"queue:{job.queue}", f"user:{job.user}", *(f"tag:{tag}" for tag in job.tags)}
        return next((project for mark, project in self.projects.items() if mark in marks), None)


class _File(_Written):
    schedulers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")], SchedulerSettings]


def load_schedulers(path: Path) -> Mapping[str, SchedulerSettings]:
    """Return the schedulers that a file names.

    Raises:
        SchedulerError: it cannot be read, or says what makes no sense; shows nothing of its values.
    """
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).schedulers
    except OSError as error:
        raise SchedulerError(f"cannot read the schedulers in {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise SchedulerError(f"{path} is not TOML") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SchedulerError(f"{path}: {place}: {first['msg']}") from None


def open_scheduler(path: Path, name: str) -> Scheduler:
    """Return the scheduler of that name in the file.

    Raises:
        SchedulerError: there is none.
    """
    schedulers = load_schedulers(path)
    if name not in schedulers:
        raise SchedulerError(f"there is no scheduler `{name}` in {path}{did_you_mean(name, schedulers)}")
    return schedulers[name].open(name)


def _shows_secrets(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True
