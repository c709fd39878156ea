"""Spark on this machine: small, with two threads, and Python workers in this environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cape_airflow.keys import Key, KeyRing, Secret
from tests import needs

HERE = Path(__file__).parent
CONFIGURATION = {
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "America/New_York",  # not that of moments in our plans, which is UTC
    "spark.ui.enabled": "false",
}
NOISE = [
    "ignore:PySpark does not yet fully support pandas",
    "ignore::ResourceWarning",  # py4j leaves its sockets to the garbage collector
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pyspark complain of what tests cannot help."""
    for item in items:
        if HERE in item.path.parents:
            for each in NOISE:
                item.add_marker(pytest.mark.filterwarnings(each))


class Customers:
    """A provider of a key that tests look for: 64 bytes for version 2, and Cape's 32 bytes."""

    material = bytes(range(100, 164))

    def get(self, name: str) -> Key | None:
        """Return the key."""
        sizes = {"customers": 64, "old": 32}
        return Key(name, {1: Secret(self.material[: sizes[name]])}) if name in sizes else None

    def names(self) -> tuple[str, ...]:
        """Return its names."""
        return ("customers", "old")


@pytest.fixture(autouse=True)
def java(request: pytest.FixtureRequest) -> None:
    """What all that start Spark need."""
    if request.node.get_closest_marker("integration"):
        needs.program("java")


@pytest.fixture(scope="session")
def provider() -> Customers:
    return Customers()


@pytest.fixture
def ring(provider) -> KeyRing:
    return KeyRing(provider)


@pytest.fixture(scope="module")
def spark() -> Iterator:
    """A session of classic Spark, for the tests of one module."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").appName("cape tests")
    for name, value in CONFIGURATION.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def policy():
    """Return a function from rules, a line each, to the text of a version 2 policy that keeps the rest."""

    def text(*rules: str, more: str = "") -> str:
        lines = "\n".join(f"  - {rule}" for rule in rules)
        return f"label: spark\nversion: 2\ndomain: tests\ndefault: keep\n{more}\nrules:\n{lines}\n"

    return text
