"""S3: no error of a task shows a value, whatever the data and the policy."""

from __future__ import annotations

import json
import tempfile
import traceback
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cape_airflow.hooks.compat import AirflowException
from cape_airflow.operators.transform import CapeTransformOperator
from tests.leaks.canaries import Canary

WORDS = "Cänary/4711 of+a person"
NUMBER = 4711_0815_2342_1337
CANARIES = [Canary.value("words", WORDS), Canary.value("number", str(NUMBER))]
KEY = urlsafe_b64encode(bytes(range(64))).decode()

CELLS = st.sampled_from([WORDS, f"{WORDS} again", str(NUMBER), f"{NUMBER}.5", f"{WORDS}@example.com", None])
COLUMNS: Mapping[str, st.SearchStrategy[Any]] = {
    "string": CELLS,
    "large_string": CELLS,
    "int64": st.sampled_from([NUMBER, -NUMBER, None]),
    "float64": st.sampled_from([float(NUMBER), float("inf"), float("nan"), None]),
    "binary": st.sampled_from([WORDS.encode(), b"\xff" + WORDS.encode(), None]),
}
TYPES = {name: getattr(pa, name)() for name in COLUMNS}
TECHNIQUES = [
    {"type": "keyed-hash", "key": {"ref": "k"}},
    {"type": "deterministic-encryption", "key": {"ref": "k"}},
    {"type": "format-preserving-encryption", "key": {"ref": "k"}, "alphabet": "digits"},
    {"type": "reveal", "key": {"ref": "k"}},
    {"type": "reveal", "key": {"ref": "no-such-key"}},
    {"type": "character-mask"},
    {"type": "round", "precision": -3},
    {"type": "date-truncate", "unit": "year"},
    {"type": "add-noise", "scale": 3},
]
CONDITIONS = ["a = 'x'", "a > 3", "b in ('x', 'y')", "nowhere = 1", "a is null"]


@st.composite
def runs(draw: st.DrawFn) -> tuple[pa.Table, dict[str, Any], str, dict[str, str]]:
    """Two columns full of canaries, a policy that may not fit them, a format, and types that may not, either."""
    kinds = [draw(st.sampled_from(list(COLUMNS))) for _ in range(2)]
    rows = draw(st.integers(1, 5))
    cells = [draw(st.lists(COLUMNS[kind], min_size=rows, max_size=rows)) for kind in kinds]
    data = pa.table([pa.array(column, TYPES[kind]) for column, kind in zip(cells, kinds, strict=True)], ["a", "b"])
    rules: list[dict[str, Any]] = [
        {"match": {"name": name}, "actions": [{"transform": draw(st.sampled_from(TECHNIQUES))}]} for name in ("a", "b")
    ]
    if draw(st.booleans()):
        rules.append({"where": draw(st.sampled_from(CONDITIONS)), "actions": ["suppress-record"]})
    policy = {"label": "x", "version": 2, "domain": "d", "rules": rules}
    types = draw(st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["int64", "float64", "date32", "bool"])))
    return data, policy, draw(st.sampled_from(["parquet", "csv"])), types


def _failure(folder: Path, data: pa.Table, policy: dict[str, Any], format: str, types: dict[str, str]) -> str:
    """Run, and return all that Airflow would show of a failure; empty where there was none."""
    source, target = folder / f"in.{format}", folder / "out.csv"
    if format == "csv":
        source.write_bytes(b"\n".join([b"a,b", *(b",".join(map(_written, row.values())) for row in data.to_pylist())]))
    else:
        pq.write_table(data, source)
    (folder / "policy.yaml").write_text(json.dumps(policy))
    options = {"source_options": {"column_types": types}} if format == "csv" and types else {}
    operator = CapeTransformOperator(
        task_id="t", source=str(source), target=str(target), policy_file=str(folder / "policy.yaml"), **options
    )
    names = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1}
    try:
        operator.execute({"ti": SimpleNamespace(**names)})  # type: ignore[arg-type]
    except AirflowException as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=False)
        return "".join(shown.format()) + repr(error)
    return ""


def _written(cell: Any) -> bytes:
    return cell if isinstance(cell, bytes) else b"" if cell is None else str(cell).encode()


@given(runs())
@settings(max_examples=60)
def test_no_error_shows_a_cell(run: tuple[pa.Table, dict[str, Any], str, dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        environment.setenv("CAPE_KEY_K", KEY)
        shown = _failure(Path(folder), *run)
    found = {canary.name: canary.found_in(shown.encode()) for canary in CANARIES}
    assert found == {"words": set(), "number": set()}, shown


@pytest.mark.parametrize(
    ("policy", "format", "types", "words"),
    [
        ({"type": "reveal", "key": {"ref": "k"}}, "parquet", {}, "ValueRefused"),
        ({"type": "keyed-hash", "key": {"ref": "no-such-key"}}, "parquet", {}, "KeyUnavailable"),
        ({"type": "round", "precision": -3}, "parquet", {}, "SchemaMismatch"),
        ({"type": "round", "precision": -3}, "csv", {"a": "int64", "b": "int64"}, "DatasetError"),
        ({"type": "date-truncate", "unit": "year"}, "csv", {"a": "date32", "b": "date32"}, "DatasetError"),
    ],
)
def test_failures_on_values_happen_and_show_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    policy: dict[str, Any],
    format: str,
    types: dict[str, str],
    words: str,
) -> None:
    monkeypatch.setenv("CAPE_KEY_K", KEY)
    rules = [{"match": {"name": name}, "actions": [{"transform": policy}]} for name in ("a", "b")]
    data = pa.table({"a": [WORDS] * 3, "b": [str(NUMBER), WORDS, None]})
    shown = _failure(tmp_path, data, {"label": "x", "version": 2, "domain": "d", "rules": rules}, format, types)
    assert words in shown
    assert not any(canary.found_in(shown.encode()) for canary in CANARIES)
