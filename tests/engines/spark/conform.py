"""Run every case of the conformance test on Spark, classic or Connect, in a process of its own: one knows only one.

Usage: ``conform.py MODE TABLE CASES OUT``: MODE is ``classic`` or the address of a Connect server, TABLE a Parquet
file, CASES a JSON object from names to policies and their columns; the outputs go to OUT as Arrow files, one for each
partitioning.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from cape_airflow import spark as on_spark
from cape_airflow.keys import Key, Secret

PARTITIONINGS = ("128m", "64k")
"""The most bytes of the table in one partition: all, or one of its row groups."""


class Keys:
    """The keys of the conformance test: 64 bytes for version 2, Cape's 32 bytes for `old`."""

    def get(self, name: str) -> Key:
        """Return the key."""
        return Key(name, {1: Secret(bytes(range(32 if name == "old" else 64)))})

    def names(self) -> tuple[str, ...]:
        """Return nothing: any name will do."""
        return ()


def session(mode: str) -> SparkSession:
    """Return a session in a zone that is not UTC, with batches that do not end where partitions do."""
    builder = SparkSession.builder.remote(mode) if mode != "classic" else SparkSession.builder.master("local[2]")
    if mode == "classic":
        for name, value in {"driver.memory": "1g", "ui.enabled": "false", "driver.host": "127.0.0.1"}.items():
            builder = builder.config(f"spark.{name}", value)
    spark = builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "4999")
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    return spark


def main(mode: str, table: str, cases: str, out: str) -> None:
    """Write the outputs of all cases."""
    spark = session(mode)
    for partitions in PARTITIONINGS:
        spark.conf.set("spark.sql.files.maxPartitionBytes", partitions)
        for name, case in json.loads(Path(cases).read_text()).items():
            df = spark.read.parquet(table).select(*case["columns"])
            output = on_spark.apply(case["policy"], df, Keys()).toArrow()
            with (
                pa.OSFile(f"{out}/{name}-{partitions}.arrow", "wb") as file,
                pa.ipc.new_file(file, output.schema) as sink,
            ):
                sink.write_table(output)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
