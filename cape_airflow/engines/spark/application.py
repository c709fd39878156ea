"""The Spark application of one job: how it is opened, what it is called, and how it is cancelled."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cape_airflow.engines.spark.messages import Application, Session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PROPERTIES = "spark.properties"
"""Name of the file in the driver's private folder: properties may hold credentials of storages."""

_NOT_IN_A_URL = re.compile(r"://[^/]*@|[?#;].*")


def open_session(session: Session, name: str, folder: Path) -> SparkSession:
    """Start the application, or connect to a server.

    Args:
        session: which Spark.
        name: of the application.
        folder: private; the properties are written there, since command lines can be seen by everybody.
    """
    from pyspark.sql import SparkSession

    if session.remote is not None:
        builder = SparkSession.builder.remote(session.remote).appName(name)
        for key, value in session.properties.items():
            builder = builder.config(key, value)
        return builder.create()
    _prepare_submit(session, folder)
    return SparkSession.builder.appName(name).getOrCreate()


def application_of(spark: SparkSession) -> Application:
    """Return the identity of a running application; of a session, for Spark Connect."""
    if is_remote(spark):
        return Application(id=spark.session_id)  # type: ignore[attr-defined]  # of Connect's session only
    context = spark.sparkContext
    ui = context.uiWebUrl
    return Application(id=context.applicationId, ui=ui and _NOT_IN_A_URL.sub("", ui))


def cancel(spark: SparkSession) -> None:
    """Stop what runs for this session; nobody waits for it any more."""
    if is_remote(spark):
        spark.interruptAll()
    else:
        spark.sparkContext.cancelAllJobs()


def is_remote(spark: SparkSession) -> bool:
    """Whether this is a session of Spark Connect."""
    return not hasattr(spark, "_jsparkSession")


def _prepare_submit(session: Session, folder: Path) -> None:
    """Have pyspark start `spark-submit` with these properties, besides those of spark-defaults.conf."""
    properties = {"spark.master": session.master or "", **session.properties}
    file = folder / PROPERTIES
    file.touch(0o600)
    file.write_text("".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in properties.items()))
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--properties-file '{file}' --load-spark-defaults pyspark-shell"
    os.environ.setdefault("PYSPARK_PYTHON", _executor_python(session.master or "", session.properties))


def _executor_python(master: str, properties: Mapping[str, str]) -> str:
    """Return Python on the executors; `spark.pyspark.python` is only read by `spark-submit FILE`."""
    here = sys.executable if master.startswith("local") else "python3"
    return properties.get("spark.pyspark.python", here)


def _escaped(text: str) -> str:
    r"""Write a key or a value of a Java properties file: ASCII, with \uXXXX for all that could mean something."""
    units = (text.encode("utf-16-be")[at : at + 2] for at in range(0, len(text.encode("utf-16-be")), 2))
    codes = (int.from_bytes(unit, "big") for unit in units)
    return "".join(chr(code) if chr(code).isascii() and chr(code).isalnum() else f"\\u{code:04x}" for code in codes)
