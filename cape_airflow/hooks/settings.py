"""The `[cape]` section of Airflow's configuration; `provider_info` describes its options."""

from __future__ import annotations

from pathlib import Path

from airflow.configuration import AIRFLOW_HOME, conf


def embedded() -> bool:
    """Return whether the API server is to serve a coordinator at /cape."""
    return bool(conf.getboolean("cape", "embedded", fallback=True))


def home() -> Path:
    """Return the folder of the embedded coordinator's data."""
    return Path(conf.get("cape", "home", fallback="") or Path(AIRFLOW_HOME, "cape"))


def outbox_folder() -> Path:
    """Return the folder where this worker keeps job reports that could not be delivered."""
    return Path(conf.get("cape", "outbox", fallback="") or home() / "outbox")
