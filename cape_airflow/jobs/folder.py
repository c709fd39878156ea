"""Where the reports that wait lie: the folder that a command and the tasks of an Airflow on this machine share."""

from __future__ import annotations

import os
from configparser import ConfigParser, Error
from pathlib import Path

from cape_airflow.errors import CapeError


def default_folder() -> Path:
    """Return the outbox of this machine.

    It is ``$CAPE_OUTBOX``; or that of Airflow, where one is configured (see `airflow_folder`); or else ``cape/outbox``
    in the user's state folder (XDG Base Directory).

    Raises:
        CapeError: Airflow's configuration file cannot be read.
    """
    if given := os.environ.get("CAPE_OUTBOX"):
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return airflow_folder() or Path(state) / "cape" / "outbox"


def airflow_folder() -> Path | None:
    """Return where the tasks of Airflow keep their reports, without importing it, which would make files in its home.

    ``outbox`` in the section ``[cape]``, or else the folder ``outbox`` in its ``home``, which is ``cape`` in Airflow's
    home where it is not set. None where no Airflow is configured: there is neither ``AIRFLOW_HOME`` nor a file.

    Raises:
        CapeError: Airflow's configuration file cannot be read.
    """
    home = _expanded(os.environ.get("AIRFLOW_HOME", "~/airflow"))
    file = Path(_expanded(os.environ.get("AIRFLOW_CONFIG", f"{home}/airflow.cfg")))
    if "AIRFLOW_HOME" not in os.environ and not file.exists():
        return None
    written = _written(file)
    settings = {
        name: _expanded(os.environ.get(f"AIRFLOW__CAPE__{name.upper()}", written.get(name, "")))
        for name in ("outbox", "home")
    }
    return Path(settings["outbox"] or Path(settings["home"] or Path(home, "cape"), "outbox"))


def _written(file: Path) -> dict[str, str]:
    parser = ConfigParser()
    try:
        parser.read(file, encoding="utf-8")
        return dict(parser["cape"]) if parser.has_section("cape") else {}
    except (Error, UnicodeDecodeError):
        raise CapeError(f"{file} is not a configuration of Airflow; name the outbox with --outbox") from None


def _expanded(text: str) -> str:
    return os.path.expanduser(os.path.expandvars(text))
