"""A task of ours between a source, a target and a coordinator that misbehaves."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow.client import Job
from cape_airflow.errors import CoordinatorRefused
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.operators.transform import CapeTransformOperator, job_id_of
from tests.airflow.coordinator import People, connected, outage, own_outbox, people, project
from tests.faults.proxy import Proxy, Server

__all__ = ["connected", "outage", "own_outbox", "people", "project"]

BEFORE = b"the output of yesterday"
CANARY = "canary-4711@example.com"


@pytest.fixture
def proxy(people: People, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The proxy before the coordinator; `cape_default` leads to it, with a deadline of a second."""
    server = Server(people.url)
    connection = people.connection(deadline=1) | {"port": int(server.proxy.url.rpartition(":")[2])}
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(connection))
    yield server.proxy
    server.stop()


@dataclass
class Work:
    """A source with a canary in it, a target with the output of yesterday, and a project with an approved policy."""

    people: People
    project: str
    digest: str
    source: Path
    target: Path

    def context(self, try_number: int = 1) -> dict[str, Any]:
        names = {"dag_id": "pay", "run_id": self.project, "task_id": "deidentify", "map_index": -1}
        return {"ti": SimpleNamespace(**names, try_number=try_number)}

    def operator(self, **changed: Any) -> CapeTransformOperator:
        given = {"source": str(self.source), "target": str(self.target), "project": self.project}
        return CapeTransformOperator(task_id="deidentify", **{**given, **changed})

    def run(self, try_number: int = 1, **changed: Any) -> dict[str, Any]:
        return self.operator(**changed).execute(self.context(try_number))

    def fails(self, *, for_good: bool, operator: CapeTransformOperator | None = None) -> str:
        """Run, which must fail in the way that Airflow retries, or not, and leave no trace; return what is shown."""
        with pytest.raises(AirflowException) as failure:
            (operator or self.operator()).execute(self.context())
        assert isinstance(failure.value, AirflowFailException) is for_good, failure.value
        shown = "".join(traceback.format_exception(failure.value))
        assert CANARY not in shown
        assert self.people.worker_token.rpartition(",")[2] not in shown
        self.untouched()
        return str(failure.value)

    def untouched(self) -> None:
        """The output is that of yesterday, and nothing lies beside it."""
        assert self.target.read_bytes() == BEFORE
        assert {path.name for path in self.target.parent.iterdir()} == {self.target.name}

    def job(self) -> Job | None:
        """Return the job as the coordinator knows it, None where it was never heard of."""
        try:
            return self.people.engineer.job(self.project, job_id_of(self.context()["ti"]))
        except CoordinatorRefused:
            return None


@pytest.fixture
def work(people: People, project: str, tmp_path: Path) -> Work:
    """What a task works on."""
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    source, target = tmp_path / "in" / "customers.parquet", tmp_path / "out" / "deidentified.parquet"
    rows = {"email": [CANARY, "bob@example.com", None], "country": ["NL", "XX", "DE"]}
    pq.write_table(pa.table(rows), source)
    target.write_bytes(BEFORE)
    return Work(people, project, people.approve(project), source, target)


def before_commit(
    operator: CapeTransformOperator, event: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> CapeTransformOperator:
    """Have something happen when the output is written, and before the coordinator is asked once more."""
    ask = operator._before_commit
    monkeypatch.setattr(operator, "_before_commit", lambda start: (event(), ask(start)))
    return operator
