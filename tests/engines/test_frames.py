"""Policies on frames in memory."""

from __future__ import annotations

import datetime as dt
import logging
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow import KeyRing, apply, load_policy
from cape_airflow.errors import DataError, KeyUnavailable, PolicyError, SchemaMismatch

TOKEN = "70a4b1a987767abf36463cd3e3f2b37144132e572fbb9b39f28bcaafe10d9b24"
"""Cape's token of ``Alice`` under ``secret_key``."""


def policy(*rules: str, version: int = 1) -> str:
    lines = "".join(f"\n  - {rule}" for rule in rules)
    return f"label: test\nversion: {version}\nrules:{lines}\n"


def on(column: str, **transform: object) -> str:
    parameters = ", ".join(
        f"{name.replace('_', '-') if name == 'type' else name}: {value}" for name, value in transform.items()
    )
    return f"{{match: {{name: {column}}}, actions: [{{transform: {{{parameters}}}}}]}}"


TOKENIZE = on("name", type="tokenizer", key="secret_key")
REDACT = on("name", type="row-redact", condition="age > 60")
KEYED = on("name", type="keyed-hash", key="{ref: customers}")


def frames() -> list[object]:
    data = {"name": ["Alice", None, "Bob"], "age": [30, 70, 40]}
    table = pa.table(data)
    return [pd.DataFrame(data), pl.DataFrame(data), table, table.to_batches()[0]]


@pytest.mark.parametrize(
    "frame", frames(), ids=lambda frame: type(frame).__module__.split(".")[0] + type(frame).__name__
)
def test_the_same_kind_comes_back_and_the_frame_is_not_changed(frame: object) -> None:
    before = frame.copy() if isinstance(frame, pd.DataFrame) else frame
    result = apply(policy(REDACT, TOKENIZE), frame)
    assert type(result) is type(frame)
    names, ages = (list(result[name]) for name in ("name", "age"))
    assert str(names[0]) == TOKEN
    assert [int(str(age)) for age in ages] == [30, 40]
    assert frame.equals(before)


def test_a_policy_may_be_text_or_a_policy_and_used_again() -> None:
    loaded = load_policy(policy(on("age", type="numeric-rounding", dtype="Integer", precision=-1)))
    table = pa.table({"age": [31, 38]})
    for _ in range(2):
        assert apply(loaded, table)["age"].to_pylist() == [30, 40]


def test_warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        apply(policy(TOKENIZE), pa.table({"name": ["x"], "age": [1]}))
    assert "kept as they are, since no rule is about them: age" in caplog.text


def test_keys_come_from_the_environment_a_provider_or_a_ring(monkeypatch, keys) -> None:
    table = pa.table({"name": ["x"]})
    with pytest.raises(KeyUnavailable, match="no key `customers`"):
        apply(policy(KEYED, version=2), table)
    with_ring = apply(policy(KEYED, version=2), table, keys)
    assert apply(policy(KEYED, version=2), table, keys._providers[0]) == with_ring
    monkeypatch.setenv("CAPE_KEY_CUSTOMERS", "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8")
    assert apply(policy(KEYED, version=2), table) != with_ring


def test_keys_that_stand_in_the_text_are_found_also_beside_others(keys) -> None:
    table = pa.table({"name": ["Alice"]})
    assert apply(policy(TOKENIZE), table, keys)["name"].to_pylist() == [TOKEN]
    with pytest.raises(KeyUnavailable, match="no key `other`"):
        apply(policy(on("name", type="keyed-hash", key="{ref: other}"), version=2), table, keys)


@pytest.mark.parametrize("frame", [[1], {"name": ["x"]}, pd.Series(["x"]), pl.LazyFrame({"name": ["x"]})])
def test_other_things_are_refused(frame: object) -> None:
    with pytest.raises(DataError, match="a policy is applied to a pandas or polars DataFrame, or to an Arrow"):
        apply(policy(TOKENIZE), frame)


def test_wrong_text_and_missing_columns_are_refused() -> None:
    with pytest.raises(PolicyError):
        apply("rules: []", pa.table({"name": ["x"]}))
    with pytest.raises(SchemaMismatch, match="name"):
        apply(policy(TOKENIZE), pd.DataFrame({"nmae": ["x"]}))


@given(
    names=st.lists(st.text(st.characters(blacklist_categories=("Cs",)), max_size=5) | st.none(), max_size=30),
    size=st.integers(1, 31),
)
def test_the_result_does_not_depend_on_chunks_nor_on_the_kind_of_frame(names: list[str | None], size: int) -> None:
    table = pa.table({"name": pa.array(names, pa.string()), "age": pa.array(range(len(names)), pa.int64())})
    chunked = pa.Table.from_batches(table.to_batches(max_chunksize=size), table.schema)
    text = policy(
        on("name", type="row-redact", condition="age >= 20"),
        TOKENIZE,
        on("age", type="numeric-perturbation", dtype="Double", min=-10, max=10, seed=4984),
    )
    results = [
        apply(text, chunked).to_pylist(),
        apply(text, table).to_pylist(),
        apply(text, pl.from_arrow(table)).to_dicts(),
        pa.Table.from_pandas(
            apply(text, table.to_pandas(types_mapper=pd.ArrowDtype)), preserve_index=False
        ).to_pylist(),
    ]
    assert all(result == results[0] for result in results)


def test_the_tutorial_frame_gets_capes_values() -> None:
    frame = pd.DataFrame({"name": ["Alice"] * 2, "age": [34, 55], "salary": [59234.32, 49324.53]}, index=[7, 7])
    text = policy(
        TOKENIZE,
        on("age", type="numeric-perturbation", dtype="Integer", min=-10, max=10, seed=4984),
        on("salary", type="numeric-rounding", dtype="Double", precision=-3),
    )
    assert apply(text, frame).to_dict("list") == {
        "name": [TOKEN] * 2,
        "age": [27, 63],
        "salary": [59000.0, 49000.0],
    }


def test_no_rows_are_fine() -> None:
    for frame in (pd.DataFrame({"name": pd.Series([], dtype="str")}), pl.DataFrame({"name": []}, {"name": pl.String})):
        assert len(apply(policy(TOKENIZE), frame)) == 0
    assert apply(policy(TOKENIZE), pa.table({"name": pa.array([], pa.string())})).num_rows == 0


def test_numpy_dates_and_missing_values_pass() -> None:
    frame = pd.DataFrame({"day": np.array(["2020-02-29", "NaT"], "datetime64[s]"), "d": [dt.date(2020, 2, 29), None]})
    text = policy(
        on("day", type="date-truncation", frequency="month"), on("d", type="date-truncation", frequency="year")
    )
    result = apply(text, frame)
    assert str(result["day"].dtype) == "datetime64[s]"
    assert result["day"].tolist() == [pd.Timestamp("2020-02-01"), pd.NaT]
    assert result["d"].tolist() == [dt.date(2020, 1, 1), None]


def test_a_ring_is_not_copied_into_results(keys: KeyRing) -> None:
    assert "Secret" not in repr(apply(policy(KEYED, version=2), pa.table({"name": ["x"]}), keys))


def test_metadata_of_fields_does_not_come_out_of_a_kept_column() -> None:
    kind = pa.list_(pa.field("item", pa.struct([pa.field("a", pa.int64(), metadata={"top": "S3CRET"})])))
    schema = pa.schema([pa.field("x", kind, metadata={"top": "S3CRET"})], metadata={"top": "S3CRET"})
    table = pa.table([pa.array([[{"a": 1}]], kind)], schema=schema)
    result = apply("label: test\nversion: 2\nrules:\n  - {match: {name: x}, keep: {reason: test}}", table)
    assert result == table
    assert b"S3CRET" not in pickle.dumps(result)
