"""The operator between databases, by connections; the databases are SQLite, whose way is that of every `DbApiHook`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from cape_airflow.hooks.compat import AirflowFailException
from cape_airflow.operators.storage import lineage_name, told
from cape_airflow.operators.transform import CapeTransformOperator

POLICY = "label: pay\nversion: 2\ndefault: keep\nrules: [{match: {name: email, optional: true}, actions: [drop]}]\n"
QUERY = "query:select * from people where email <> 'p1'"


def _context() -> dict[str, Any]:
    names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": -1, "try_number": 1}
    return {"ti": SimpleNamespace(**names)}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("in", "out"):
        connection = {"conn_type": "sqlite", "host": str(tmp_path / f"{name}.db")}
        monkeypatch.setenv(f"AIRFLOW_CONN_DB_{name.upper()}", json.dumps(connection))
    with sqlite3.connect(tmp_path / "in.db") as people:
        people.execute("CREATE TABLE people (id INTEGER, email TEXT)")
        people.executemany("INSERT INTO people VALUES (?, ?)", [(number, f"p{number}") for number in range(10)])
    people.close()
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def _operator(folder: Path, **given: Any) -> CapeTransformOperator:
    arguments = {"source": "table:people", "source_conn_id": "db_in", "target": "table:out", "target_conn_id": "db_out"}
    policy = str(folder / "policy.yaml")
    return CapeTransformOperator(task_id="deidentify", policy_file=policy, **{**arguments, **given})


def _written(folder: Path) -> list[Any]:
    connection = sqlite3.connect(folder / "out.db")
    rows = connection.execute("SELECT * FROM out ORDER BY id").fetchall()
    connection.close()
    return rows


def test_a_table_goes_from_one_database_to_another(database: Path) -> None:
    result = _operator(database).execute(_context())
    assert (result["rows_in"], result["rows_out"]) == (10, 10)
    assert _written(database) == [(number,) for number in range(10)]


def test_a_try_that_comes_again_appends_nothing_again(database: Path) -> None:
    for _ in range(2):
        _operator(database, source=QUERY, target_mode="append").execute(_context())
    assert _written(database) == [(number,) for number in range(10) if number != 1]


def test_one_end_may_be_a_file(database: Path) -> None:
    target = database / "out.parquet"
    _operator(database, target=str(target), target_conn_id=None).execute(_context())
    assert pq.read_table(target).column_names == ["id"]
    _operator(database, source=str(target), source_conn_id=None).execute(_context())
    assert len(_written(database)) == 10


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source_conn_id": None}, "a table lies in a database: name its Airflow connection in source_conn_id"),
        ({"target_conn_id": None}, "in target_conn_id"),
        ({"target": "query:select 1"}, "queries are read only"),
        ({"target_mode": "merge"}, "target_mode is replace or append"),
        ({"target": "out.csv", "target_mode": "append"}, "files are always replaced"),
        ({"source_format": "csv"}, "no file format"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(database: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        _operator(database, **given).execute(_context())
    assert not list(database.glob("out.*")) or not _exists(database)


def _exists(folder: Path) -> bool:
    connection = sqlite3.connect(folder / "out.db")
    found = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    return bool(found)


def test_reports_and_lineage_hold_no_text_of_a_query() -> None:
    assert told("table:public.people") == "table:public.people"
    assert told("s3://bucket/people.csv") == "s3://bucket/people.csv"
    assert "p1" not in told(QUERY)
    assert told(QUERY).startswith("query ")
    assert lineage_name(QUERY, "db_in") is None
