"""One definition: pandas, Arrow, the local engine, classic Spark and Spark Connect give the same bytes.

`CONFORMANCE_ROWS` sets the number of rows: 100,000 if unset.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow import apply, compile_plan, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import run_local
from cape_airflow.engines.frames import key_ring
from cape_airflow.errors import SchemaMismatch
from cape_airflow.transformations import Transformation, create, techniques

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

ROWS = int(os.environ.get("CONFORMANCE_ROWS", "100000"))
SCRIPT = Path(__file__).with_name("conform.py")
KEYED = {"key": {"ref": "customers"}}
OLD = {"key": {"ref": "old"}}
SHIFT = {"type": "add-noise", "consistent": True, "unit": "day", "min": -30, "max": 30, **KEYED}

TECHNIQUES: dict[str, dict] = {
    "keyed-hash": {"type": "keyed-hash", **KEYED},
    "deterministic-encryption": {"type": "deterministic-encryption", **KEYED},
    "format-preserving-encryption": {
        "type": "format-preserving-encryption", **KEYED, "version": 1, "alphabet": "digits", "keep": "-"
    },
    "reveal": {"type": "reveal", **KEYED},
    "mask-ends": {"type": "character-mask", "keep_first": 1, "keep_last": 2},
    "mask-all": {"type": "character-mask", "mask": "█"},
    "mask-pattern": {"type": "character-mask", "pattern": "[0-9a]+"},
    "suppress-value": {"type": "suppress-value"},
    "suppress-by-text": {"type": "suppress-value", "replacement": "withheld"},
    "suppress-by-number": {"type": "suppress-value", "replacement": 7},
    "round-tens": {"type": "round", "precision": -1},
    "round-tenths": {"type": "round", "precision": 1},
    **{f"truncate-{unit}": {"type": "date-truncate", "unit": unit}
       for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")},
    "noise": {"type": "add-noise", "consistent": True, "min": -5, "max": 5, **KEYED},
    "gaussian": {"type": "add-noise", "consistent": True, "distribution": "gaussian", "scale": 3, **KEYED},
    "shift": SHIFT,
    "shift-by-subject": {**SHIFT, "subject": "id"},
    "tokenizer": {"type": "tokenizer", "max_token_len": 12, **OLD},
    "reversible-tokenizer": {"type": "reversible-tokenizer", **OLD},
    "token-reverser": {"type": "token-reverser", **OLD},
    "numeric-rounding": {"type": "numeric-rounding", "dtype": "Double", "precision": 1},
    "date-truncation": {"type": "date-truncation", "frequency": "month"},
}  # fmt: skip
RANDOM = {"numeric-perturbation", "date-perturbation"}
"""Techniques that are seeded or fresh, and have no output to compare (see test_frames)."""
ONLY = {"reveal": "sealed", "token-reverser": "token", "format-preserving-encryption": "digits"}
"""Techniques whose values must be of a form."""
NOT_TEXT = {"id"}


def generated(rows: int) -> pa.Table:
    """Return rows of all types that Spark reads from Parquet, with nulls, unicode and extremes in each."""
    pick = random.Random(3)

    def column(kind: pa.DataType, *values: object) -> pa.Array:
        chosen = pa.array([*values, None], kind)
        return chosen.take(pa.array(np.random.default_rng(len(values)).integers(0, len(chosen), rows)))

    def integers(bits: int) -> list[int]:
        edge = 2 ** (bits - 1)
        return [0, -1, 1, 5, 15, 25, -5, 100, edge - 10, -edge + 10] + [
            pick.randrange(-edge + 10, edge - 10) for _ in range(90)
        ]

    text = ["", "a", "ab", "abc", "Zoë", "日本語", "😀😀😀😀", "a\x00b", "e\u0301", "\u200d", "x" * 300, "0" * 64]
    text += [
        "".join(chr(pick.choice([48, 97, 233, 0x65E5, 0x1F600])) for _ in range(pick.randrange(9))) for _ in range(500)
    ]
    floats = [0.0, -0.0, 0.5, 1.5, 2.5, -0.25, 1e300, -1e-300, 5e-324, float("inf"), float("-inf"), float("nan")]
    floats += [pick.uniform(-1e6, 1e6) for _ in range(200)]
    small = [value for value in floats if not 0 < abs(value) < 1e-30 and abs(value) not in {1e300}]
    days = [
        dt.date(1582, 10, 15),
        dt.date(1900, 2, 28),
        dt.date(1969, 12, 31),
        dt.date(1970, 1, 1),
        dt.date(2000, 2, 29),
    ]
    days += [dt.date(9998, 12, 31), dt.date(2038, 1, 20)] + [
        dt.date(1900, 1, 1) + dt.timedelta(pick.randrange(73000)) for _ in range(300)
    ]
    moments = [-1, 0, 1, -(2**51), 2**51, 1_772_953_200_000_000, 1_793_505_600_000_000]  # the last two: clock changes
    moments += [pick.randrange(-(2**50), 2**51) for _ in range(300)]
    plain = pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "text": column(pa.string(), *text),
            "digits": column(pa.string(), "4556-7375-8689-9855", *(f"{pick.randrange(10**12):012}" for _ in range(99))),
            "bool": column(pa.bool_(), True, False),
            **{f"int{bits}": column(pa.from_numpy_dtype(f"int{bits}"), *integers(bits)) for bits in (8, 16, 32, 64)},
            "float32": column(pa.float32(), *small),
            "float64": column(pa.float64(), *floats),
            "decimal": column(pa.decimal128(12, 3), *map(Decimal, ("0", "-0.005", "12.345", "99999.5", "-7.25"))),
            "wide": column(pa.decimal128(38, 10), Decimal("1.5"), Decimal(10) ** 26, Decimal("-0.0000000001")),
            "day": column(pa.date32(), *days),
            "moment": column(pa.int64(), *moments).cast(pa.timestamp("us", "UTC")),
            "local": column(pa.int64(), *moments).cast(pa.timestamp("us")),
            "binary": column(pa.binary(), b"", b"\x00\xff", b"a" * 40),
            "list": column(pa.list_(pa.int32()), [], [1, None], [3] * 5),
            "struct": column(pa.struct({"a": pa.string(), "b": pa.int64()}), {"a": "x", "b": None}, {"b": 2}),
            "map": column(pa.map_(pa.string(), pa.int32()), [("k", 1), ("l", None)], []),
        }
    )  # fmt: skip
    keys = conform().Keys()
    sealed = apply(policy({"text": TECHNIQUES["deterministic-encryption"]}, ["text"]), plain.select(["text"]), keys)
    token = apply(policy({"text": TECHNIQUES["reversible-tokenizer"]}, ["text"]), plain.select(["text"]), keys)
    return plain.append_column("sealed", sealed["text"]).append_column("token", token["text"])


def conform():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("conform", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def policy(transforms: dict[str, dict], columns: list[str]) -> str:
    rules = [
        {"match": {"name": name}, "actions": [{"transform": transforms[name]}]}
        for name in columns
        if name in transforms
    ]
    return json.dumps({"label": "conformance", "version": 2, "domain": "tests", "default": "keep", "rules": rules})


def taken(spec: dict, schema: pa.Schema, name: str) -> list[str]:
    """Return the columns whose type the technique takes."""
    technique = create(spec)
    assert isinstance(technique, Transformation)
    found = []
    for field in schema:
        if field.name in NOT_TEXT or ONLY.get(name, field.name) != field.name:
            continue
        try:
            technique.output_type(field.type)
        except SchemaMismatch:
            continue
        found.append(field.name)
    return found


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return generated(ROWS)


@pytest.fixture(scope="module")
def cases(table) -> dict[str, dict]:
    texts = {}
    for name, spec in TECHNIQUES.items():
        columns = taken(spec, table.schema, name)
        assert columns, name
        texts[name] = {"policy": policy(dict.fromkeys(columns, spec), columns), "columns": ["id", *columns]}
    everything = {
        "text": TECHNIQUES["keyed-hash"],
        "digits": TECHNIQUES["mask-ends"],
        "day": TECHNIQUES["truncate-year"],
    }
    mixed = json.loads(
        policy({**everything, "float64": TECHNIQUES["round-tenths"]}, ["text", "digits", "day", "float64"])
    )
    drop = {"match": {"name": ["binary", "map"]}, "actions": ["drop"]}
    early = {"where": "int32 < 0 or text in ('a', 'Zoë')", "actions": ["suppress-record"]}
    late = {"where": "float64 > 0.5 or decimal > 12.3 or text like '%a'", "actions": ["suppress-record"]}
    for name, more in (("rows-early", [early, drop]), ("rows-late", [early, late, drop])):
        whole = json.dumps({**mixed, "rules": [*more, *mixed["rules"]]})
        texts[name] = {"policy": whole, "columns": table.column_names}
    return texts


@pytest.fixture(scope="module")
def folder(table, cases, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("conformance")
    pq.write_table(table, folder / "table.parquet", row_group_size=ROWS // 7)
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder


def on_spark(mode: str, name: str, folder: Path, environment: dict[str, str]) -> Path:
    out = folder / name
    out.mkdir()
    words = [sys.executable, str(SCRIPT), mode, str(folder / "table.parquet"), str(folder / "cases.json"), str(out)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def outputs(folder, outside) -> dict[str, Path]:
    return {
        name: on_spark(mode, name, folder, outside) for name, mode in (("classic", "classic"), ("connect", "local[2]"))
    }


@pytest.fixture(scope="module")
def outside() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return kept | {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def bits(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows in order, in types of one layout, floats by their bits: NaN is NaN, and -0.0 is not 0.0."""
    ordered = table.select(schema.names).cast(schema).sort_by("id").combine_chunks()
    for place, field in enumerate(schema):
        if pa.types.is_floating(field.type):
            column = ordered.column(place).combine_chunks()
            ordered = ordered.set_column(
                place, field.name, column.view(pa.from_numpy_dtype(f"int{field.type.bit_width}"))
            )
    return ordered


def differing(found: pa.Table, wanted: pa.Table) -> list[str]:
    if found.num_rows != wanted.num_rows:
        return [f"{found.num_rows} rows, not {wanted.num_rows}"]
    return [name for name in wanted.column_names if not found[name].equals(wanted[name])]


def test_every_technique_is_a_case(cases) -> None:
    covered = {create(spec).type for spec in TECHNIQUES.values()} | RANDOM | {"suppress-attribute", "suppress-record"}
    assert covered >= set(techniques())


def test_every_engine_gives_the_same_bytes(table, cases, folder, outputs) -> None:
    keys = conform().Keys()
    wrong = {}
    for name, case in cases.items():
        part, text = table.select(case["columns"]), case["policy"]
        output = apply(text, part, keys)
        schema = output.schema.remove_metadata()
        wanted = bits(output, schema)
        for engine, out in outputs.items():
            for partitions in conform().PARTITIONINGS:
                with pa.memory_map(str(out / f"{name}-{partitions}.arrow")) as file:
                    found = pa.ipc.open_file(file).read_all()
                wrong[name, engine, partitions] = differing(bits(found, schema), wanted)
        wrong[name, "local"] = differing(bits(locally(text, part, folder, keys), schema), wanted)
        wrong[name, "pandas"] = differing(bits(by_pandas(text, part, keys, schema), schema), wanted)
    assert {place: columns for place, columns in wrong.items() if columns} == {}


def locally(text: str, table: pa.Table, folder: Path, keys) -> pa.Table:
    given, target, job = folder / "given.parquet", folder / "local.parquet", "0" * 32
    pq.write_table(table, given)
    target.unlink(missing_ok=True)
    source = open_source(str(given))
    plan = compile_plan(load_policy(text), source.schema)
    run_local(plan, key_ring(load_policy(text), keys), source, open_sink(str(target), job_id=job), job_id=job)
    return pq.read_table(target)


def by_pandas(text: str, table: pa.Table, keys, schema: pa.Schema) -> pa.Table:
    import pandas as pd

    frame = apply(text, table.to_pandas(types_mapper=pd.ArrowDtype), keys)
    return pa.Table.from_pandas(frame, preserve_index=False).select(schema.names)
