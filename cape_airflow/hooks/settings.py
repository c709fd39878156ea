"""The `[cape]` section of Airflow's configuration; `provider_info` describes its options."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from airflow.configuration import AIRFLOW_HOME, conf

EMBEDDED_PATH = "/cape"
"""Where Airflow's API server serves the embedded coordinator."""


def embedded() -> bool:
    """Return whether the API server is to serve a coordinator at /cape."""
    return bool(conf.getboolean("cape", "embedded", fallback=True))


def home() -> Path:
    """Return the folder of the embedded coordinator's data."""
    return Path(conf.get("cape", "home", fallback="") or Path(AIRFLOW_HOME, "cape"))


def root_key_readable() -> bool:
    """Return whether this process can read the root key of the embedded coordinator."""
    return "CAPE_ROOT_KEY" in os.environ or os.access(home() / "root.key", os.R_OK)


def deployment() -> str:
    """Return what tells the jobs of this Airflow from those of others at the same coordinator."""
    return str(conf.get("cape", "deployment", fallback="") or conf.get("api", "base_url", fallback="") or "")


def address_of_airflow() -> str:
    """Return where browsers find Airflow, without a slash at its end; empty where its configuration does not say so."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def path_of_airflow() -> str:
    """Return the path below which Airflow is served, without a slash at its end; empty where that is the root."""
    return urlsplit(address_of_airflow()).path


def pages_url() -> str:
    """Return where browsers find the pages of a coordinator that is not embedded; empty where nobody says so."""
    return str(conf.get("cape", "pages_url", fallback="") or "").rstrip("/")


def outbox_folder() -> Path:
    """Return the folder where this worker keeps job reports that could not be delivered."""
    return Path(conf.get("cape", "outbox", fallback="") or home() / "outbox")
