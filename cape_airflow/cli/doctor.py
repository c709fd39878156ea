"""``cape doctor``: is this machine fit to run jobs? Shows versions and states, never a secret."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

from cape_airflow import __version__
from cape_airflow.cli.output import json_option, outbox_option, print_json
from cape_airflow.errors import CapeError

_PROVIDER = "apache_airflow_provider"


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is well, and what was found."""

    what: str
    well: bool
    found: str


@click.command()
@click.option("--keys", "key_files", type=click.Path(path_type=Path), multiple=True, help="Key file to check.")
@outbox_option
@json_option
def doctor(key_files: tuple[Path, ...], outbox: Path | None, as_json: bool) -> None:
    """Look at versions, Airflow, the coordinator, the outbox and key files. Exit 1 when something is wrong."""
    checks = list(_checks(key_files, outbox))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            click.echo(f"{'ok   ' if check.well else 'WRONG'}  {check.what}: {check.found}")
    if not all(check.well for check in checks):
        raise click.exceptions.Exit(1)


def _checks(key_files: tuple[Path, ...], outbox: Path | None) -> Iterator[Check]:
    yield Check("cape_airflow", True, f"{__version__}, Python {platform.python_version()}")
    yield Check("pyarrow", True, metadata.version("pyarrow"))
    yield _check("kernels", _kernels)
    yield _check("airflow", _airflow)
    yield _check("coordinator", _coordinator)
    yield _check("outbox", lambda: _outbox(outbox))
    for path in key_files:
        yield _check(f"key file {path}", lambda path=path: _key_file(path))  # type: ignore[misc]
    yield _check("keys in the environment", _environment)


def _check(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, True, look())
    except CapeError as error:
        return Check(what, False, str(error))


def _kernels() -> str:
    from cape_airflow.kernels import implementation

    return implementation()


def _airflow() -> str:
    """Read metadata only: importing Airflow would make files in its home."""
    try:
        version = metadata.version("apache-airflow")
    except metadata.PackageNotFoundError:
        return "not installed"
    if not any(entry.value.startswith("cape_airflow") for entry in metadata.entry_points(group=_PROVIDER)):
        raise CapeError(f"{version}, which does not see this provider; install cape-airflow with pip, not by a path")
    return f"{version}, sees this provider"


def _coordinator() -> str:
    from cape_airflow.cli.session import current

    session = current()
    if session is None:
        return "not logged in"
    with session.connect() as client:
        return f"{session.url}, version {client.version().version}, as {client.me().email}"


def _outbox(folder: Path | None) -> str:
    from cape_airflow.jobs.folder import default_folder
    from cape_airflow.jobs.outbox import addressees, refused, waiting

    folder = folder or default_folder()
    left, aside = waiting(folder), refused(folder)
    if left or aside:
        whom = ", ".join(f"{number} for {addressee}" for addressee, number in addressees(left).items())
        raise CapeError(
            f"{len(left)} reports wait{f' ({whom})' if whom else ''} and {len(aside)} were refused in {folder}; "
            "`cape jobs flush` delivers what waits, what was refused is yours to read and delete"
        )
    return f"empty ({folder})"


def _key_file(path: Path) -> str:
    from cape_airflow.keys import FileKeys

    return f"{len(FileKeys(path).names())} keys, private"


def _environment() -> str:
    from cape_airflow.keys import EnvironmentKeys

    provider = EnvironmentKeys(os.environ)
    names = provider.names()
    for name in names:
        provider.get(name)
    return ", ".join(names) or "none"
