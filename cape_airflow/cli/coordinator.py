"""``cape coordinator``: set up and run the service. Settings: CAPE_* variables, and the file of CAPE_CONFIG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cape_airflow.cli.output import json_option, print_items, print_json
from cape_airflow.cli.session import connected
from cape_airflow.errors import CoordinatorError

if TYPE_CHECKING:
    from cape_airflow.coordinator.settings import Settings

home_option = click.option(
    "--home",
    envvar="CAPE_HOME",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the embedded database and root key.",
)


@click.group()
def coordinator() -> None:
    """Set up and run a coordinator.

    CAPE_DB_URL names a PostgreSQL database; without it, SQLite in the home folder is used. CAPE_ROOT_KEY or
    CAPE_ROOT_KEY_FILE hold the root key. CAPE_CONFIG names a TOML file of settings; variables come before it.
    """


@coordinator.command()
@home_option
@click.option("--email", required=True, prompt=True)
@click.option("--name", required=True, prompt=True)
def init(home: Path | None, email: str, name: str) -> None:
    """Make the first admin, and print his token. It is never shown again."""
    from cape_airflow.coordinator.bootstrap import initialise

    token = initialise(settings_of(home), email, name)
    click.echo(f"{email} is admin; this is the token, keep it secret:", err=True)
    click.echo(token)


@coordinator.command()
@home_option
@click.option("--email", required=True, prompt=True)
def recover(home: Path | None, email: str) -> None:
    """Print a new token for an admin whose tokens have expired; on this machine, and audited."""
    from cape_airflow.coordinator.bootstrap import recover as hand_out

    click.echo(hand_out(settings_of(home), email))


@coordinator.command()
@home_option
@click.option("--email", required=True, prompt=True)
def link(home: Path | None, email: str) -> None:
    """Print a one-time link with which an admin sets his password; on this machine, and audited."""
    from cape_airflow.coordinator.bootstrap import link as make_link

    click.echo(make_link(settings_of(home), email))


@coordinator.command()
@home_option
def migrate(home: Path | None) -> None:
    """Bring the database to this version's schema."""
    from cape_airflow.coordinator.bootstrap import migrate as upgrade

    upgrade(settings_of(home))
    click.echo("the database is up to date")


@coordinator.command()
@home_option
@click.option("--host", default="127.0.0.1", help="Address to listen at.")
@click.option("--port", default=8080, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, type=click.IntRange(1, 64), help="Processes that share the port.")
def start(home: Path | None, host: str, port: int, workers: int) -> None:
    """Run a coordinator until it is stopped; it then finishes what it is at."""
    from cape_airflow.coordinator.serving import serve

    serve(settings_of(home), host, port, workers)


@coordinator.command()
@home_option
@click.option("--port", default=8080, type=click.IntRange(1, 65535))
def check(home: Path | None, port: int) -> None:
    """Ask the coordinator of this machine whether it lives; for the health check of a container."""
    import httpx

    scheme = "http" if settings_of(home).tls_cert is None else "https"
    url = f"{scheme}://127.0.0.1:{port}/v1/health"
    try:
        httpx.get(url, timeout=5, verify=False, trust_env=False).raise_for_status()  # noqa: S501 - its name is another one here
    except httpx.HTTPError as error:
        raise CoordinatorError(f"{url} does not answer ({type(error).__name__})") from None


@coordinator.command()
@home_option
def poll(home: Path | None) -> None:
    """Ask the schedulers of CAPE_SCHEDULERS what they run, until stopped; `start` does so by itself."""
    import signal
    from threading import Event

    from cape_airflow.coordinator.bootstrap import poll as ask

    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    ask(settings_of(home), stop)


@coordinator.command("rotate-root-key")
@home_option
@click.argument("new")
def rotate_root_key(home: Path | None, new: str) -> None:
    """Put a new root key in the place of the present one, and wrap and seal everything again.

    NEW is a file, made where it is missing, or the URI of a key service: aws-kms://ARN. Stop all coordinators first.
    """
    from cape_airflow.coordinator.root_key_rotation import rotate_root_key as rotate
    from cape_airflow.coordinator.root_keys import is_uri

    count = rotate(settings_of(home), new)
    variable = "CAPE_ROOT_KEY_URI" if is_uri(new) else "CAPE_ROOT_KEY_FILE"
    click.echo(f"{count} rows are under the new root key; now start with {variable}={new}, and no other root key")
    click.echo("keep the old one as long as backups of the database that are older, and no longer", err=True)


@coordinator.command("signing-keys")
@json_option
def signing_keys(as_json: bool) -> None:
    """Print the keys that approvals are signed with, as the coordinator names them.

    The last line is a pin: the extra `signing_keys` of an Airflow connection. Compare the key ids with what whoever
    runs the coordinator says, over another way than this one.
    """
    with connected() as client:
        keys = client.signing_keys()
    pin = ",".join(key.public_key for key in keys)
    if as_json:
        print_json({"keys": [key.model_dump(mode="json") for key in keys], "signing_keys": pin})
        return
    print_items(keys, ("key_id", "public_key"), as_json=False)
    click.echo(f'"signing_keys": "{pin}"')


def settings_of(home: Path | None) -> Settings:
    """Return the settings of the coordinator on this machine.

    Raises:
        CoordinatorError: one of them makes no sense; the message says which.
    """
    from pydantic import ValidationError

    from cape_airflow.coordinator.settings import Settings

    try:
        return Settings() if home is None else Settings(home=home)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        setting = ".".join(str(part) for part in wrong["loc"])
        variable = f"CAPE_{wrong['loc'][0]}".upper() if wrong["loc"] else "CAPE_*"
        raise CoordinatorError(f"{variable}, or {setting} in the file of CAPE_CONFIG: {wrong['msg']}") from None
