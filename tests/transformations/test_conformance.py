"""What holds for every technique and every Arrow type, whatever the values and the batches."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import SchemaMismatch, ValueRefused
from cape_airflow.keys import KeyRing
from cape_airflow.transformations import Binding, Kernel, Transformation, create

NEW, OLD = {"ref": "customer-id"}, {"ref": "old-key"}
FORMAT = {"type": "format-preserving-encryption", "key": NEW, "version": 1}
SPECS: tuple[dict[str, Any], ...] = (
    {"type": "keyed-hash", "key": NEW},
    {"type": "keyed-hash", "key": NEW, "length": 8, "lossy": True},
    {"type": "keyed-hash", "key": NEW, "encoding": "base32"},
    {"type": "keyed-hash", "key": NEW, "encoding": "raw", "length": 16},
    {"type": "deterministic-encryption", "key": NEW},
    {**FORMAT, "alphabet": "alphanumeric", "keep": "- .\u00e9"},
    FORMAT,
    {**FORMAT, "type": "reveal", "of": "format-preserving-encryption", "width": 9},
    {"type": "reveal", "key": NEW},
    {"type": "reveal", "key": NEW, "to": "decimal128(12, 2)"},
    {"type": "character-mask", "keep_first": 1, "keep_last": 2},
    {"type": "character-mask", "pattern": "[a-z0-9]+", "mask": "\\"},
    {"type": "suppress-value"},
    {"type": "suppress-value", "replacement": 7},
    {"type": "suppress-value", "replacement": "2020-02-03"},
    {"type": "round", "precision": -1},
    {"type": "round", "precision": 1},
    {"type": "date-truncate", "unit": "week"},
    {"type": "date-truncate", "unit": "hour"},
    {"type": "add-noise", "min": -3, "max": 3, "seed": 1},
    {"type": "add-noise", "distribution": "gaussian", "scale": 1e3, "seed": 1},
    {"type": "add-noise", "distribution": "laplace", "scale": 3, "unit": "week", "seed": 1},
    {"type": "add-noise", "min": -3, "max": 3, "unit": "second", "seed": 1},
    {"type": "add-noise", "min": -3, "max": 3, "consistent": True, "key": NEW},
    {"type": "add-noise", "distribution": "gaussian", "scale": 3, "consistent": True, "key": NEW},
    {"type": "add-noise", "distribution": "laplace", "scale": 3, "unit": "day", "consistent": True, "key": NEW},
    {"type": "add-noise", "min": -3, "max": 3, "consistent": True, "key": NEW, "subject": "person"},
    {"type": "add-noise", "min": -3, "max": 3, "unit": "day", "consistent": True, "key": NEW, "subject": "person"},
    {"type": "tokenizer", "key": OLD, "max_token_len": 5},
    {"type": "reversible-tokenizer", "key": OLD},
    {"type": "reversible-tokenizer", "key": OLD, "encoding": "latin-1"},
    {"type": "token-reverser", "key": OLD},
    {"type": "numeric-rounding", "dtype": "Integer", "precision": -1},
    {"type": "numeric-rounding", "dtype": "Float", "precision": 1},
    {"type": "numeric-perturbation", "dtype": "Short", "min": -3, "max": 3, "seed": 1},
    {"type": "numeric-perturbation", "dtype": "Double", "min": -3, "max": 3, "seed": 1},
    {"type": "date-truncation", "frequency": "MONTH"},
    {"type": "date-perturbation", "frequency": "DAY", "min": -3, "max": 3, "seed": 1},
    {"type": "date-perturbation", "frequency": ["YEAR", "hours"], "min": [-2, -5], "max": [2, 5], "seed": 1},
)


def _ids(spec: dict[str, Any]) -> str:
    return " ".join(str(value) for name, value in spec.items() if name not in {"key", "seed"})


def _moments(unit: str) -> st.SearchStrategy[int]:
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    return st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-(2**31), 2**31).map(lambda seconds: seconds * ticks),
    )


def _words(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    largest = 10**precision - 1
    return st.integers(-largest, largest).map(lambda digits: Decimal(f"{digits}e-{scale}"))


# type: (type that pyarrow builds from the values, values)
TAKEN: dict[pa.DataType, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    **{kind: (kind, st.text()) for kind in (pa.string(), pa.large_string(), pa.string_view())},
    **{kind: (kind, _words(kind.bit_width)) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{
        kind: (kind, st.integers(0, 2**kind.bit_width - 1))
        for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    },
    **{kind: (kind, st.floats(width=kind.bit_width)) for kind in (pa.float16(), pa.float32(), pa.float64())},
    **{
        kind: (kind, _decimals(kind.precision, kind.scale))
        for kind in (pa.decimal128(9, 2), pa.decimal128(38, 10), pa.decimal256(60, 0))
    },
    pa.date32(): (pa.int32(), _words(32)),
    pa.date64(): (pa.int64(), st.integers(-(2**20), 2**20).map(lambda days: days * 86_400_000)),
    **{
        pa.timestamp(unit, zone): (pa.int64(), _moments(unit))
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "America/Sao_Paulo", "+01:30")
    },
    pa.bool_(): (pa.bool_(), st.booleans()),
}
OTHERS = (
    pa.null(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
    pa.binary(4),
    pa.time32("s"),
    pa.time64("ns"),
    pa.duration("us"),
    pa.month_day_nano_interval(),
    pa.decimal32(5, 1),
    pa.decimal64(12, 3),
    pa.decimal128(5, -2),
    pa.decimal256(76, 3),
    pa.list_(pa.int64()),
    pa.large_list(pa.string()),
    pa.list_(pa.int8(), 2),
    pa.list_view(pa.int8()),
    pa.struct([("a", pa.string())]),
    pa.map_(pa.string(), pa.int64()),
    pa.run_end_encoded(pa.int32(), pa.string()),
    pa.dense_union([pa.field("a", pa.int8())]),
    pa.uuid(),
    pa.json_(),
    pa.opaque(pa.string(), "type", "vendor"),
)
INDEX_TYPES = (pa.int8(), pa.uint16(), pa.int64())


def _takes(spec: dict[str, Any], kind: pa.DataType) -> bool:
    technique = create(spec)
    assert isinstance(technique, Transformation)
    try:
        technique.output_type(kind)
    except SchemaMismatch:
        return False
    return True


@st.composite
def columns(draw: st.DrawFn, kind: pa.DataType) -> pa.Array:
    """Arrays of one type, plain or a dictionary, some with nulls, some cut out of a longer array."""
    built, values = TAKEN[kind]
    items = draw(st.lists(st.one_of(st.none(), values), max_size=12))
    array = pa.array(items, built)
    array = array if built == kind else array.view(kind)
    if draw(st.booleans()):
        indices = draw(st.lists(st.one_of(st.none(), st.integers(0, max(len(items) - 1, 0))), max_size=20))
        indices = indices if items else [None for _ in indices]
        array = pa.DictionaryArray.from_arrays(pa.array(indices, draw(st.sampled_from(INDEX_TYPES))), array)
    start = draw(st.integers(0, len(array)))
    return array[start:]


def _others(spec: dict[str, Any], rows: int) -> list[pa.Array]:
    """Return a column for each that the technique looks at beside its own."""
    technique = create(spec)
    assert isinstance(technique, Transformation)
    return [pa.array([f"{name} {row % 3}" for row in range(rows)], pa.string()) for name in technique.other_columns]


def _bound(keys: KeyRing, spec: dict[str, Any], row_count: int) -> Kernel:
    technique = create(spec)
    assert isinstance(technique, Transformation)
    return technique.bind(Binding(keys, "test", "c", row_count))


def _result(kernel: Kernel, *columns: pa.Array) -> pa.Array | None:
    try:
        return kernel(*columns)
    except ValueRefused:
        return None


@pytest.mark.parametrize("spec", SPECS, ids=_ids)
@given(data=st.data())
def test_a_column_gives_its_declared_type_with_its_nulls_whatever_the_batches(
    spec: dict[str, Any], data: st.DataObject, keys: KeyRing
) -> None:
    kind = data.draw(st.sampled_from([kind for kind in TAKEN if _takes(spec, kind)]), label="type")
    array = data.draw(columns(kind), label="column")
    others = _others(spec, len(array))
    cuts = data.draw(st.lists(st.integers(0, len(array)), max_size=4).map(sorted), label="cuts")
    technique = create(spec)
    assert isinstance(technique, Transformation)

    whole = _result(_bound(keys, spec, len(array)), array, *others)
    kernel = _bound(keys, spec, len(array))
    parts = [
        _result(kernel, *(column[start:end] for column in (array, *others)))
        for start, end in pairwise([0, *cuts, len(array)])
    ]

    if whole is None:
        assert None in parts
        return
    whole.validate(full=True)
    assert whole.type == technique.output_type(array.type)
    assert len(whole) == len(array)
    if spec != {"type": "suppress-value"}:
        assert whole.is_null().to_pylist() == _nulls(array)
    chunked = pa.chunked_array(parts, whole.type)
    assert _values(chunked) == _values(whole)


def _nulls(array: pa.Array) -> list[bool]:
    if not pa.types.is_dictionary(array.type):
        return array.is_null().to_pylist()
    inside = array.dictionary.is_null().to_pylist()
    return [index is None or inside[index] for index in array.indices.to_pylist()]


def _values(array: pa.Array | pa.ChunkedArray) -> list[str]:
    """Values as text that tells NaN from NaN by nothing, and dictionaries by what they mean."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.int32() if pa.types.is_date32(array.type) else pa.int64())
    return [repr(value) for value in array.to_pylist()]


@pytest.mark.parametrize("kind", [*TAKEN, *OTHERS], ids=str)
def test_every_technique_takes_a_type_or_says_so_before_a_row_is_read(kind: pa.DataType, keys: KeyRing) -> None:
    for spec in SPECS:
        technique = create(spec)
        assert isinstance(technique, Transformation)
        if not _takes(spec, kind):
            with pytest.raises(SchemaMismatch, match=f"`{technique.type}`"):
                technique.output_type(kind)
            continue
        declared = technique.output_type(kind)
        kernel = technique.bind(Binding(keys, "test", "c", row_count=3))
        for array in (pa.nulls(0, kind), pa.nulls(3, kind), pa.nulls(3, kind)[1:2]):
            result = kernel(array, *_others(spec, len(array)))
            result.validate(full=True)
            assert (result.type, len(result)) == (declared, len(array))
            assert result.null_count == len(array)


def test_the_types_that_users_meet_are_taken() -> None:
    taken = {spec["type"]: {str(kind) for kind in TAKEN if _takes(spec, kind)} for spec in SPECS}
    taken["add-noise"] |= {str(kind) for kind in TAKEN if _takes({"type": "add-noise", "min": 0, "max": 1}, kind)}
    texts = {"string", "large_string", "string_view"}
    integers = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
    floats = {"halffloat", "float", "double"}
    decimals = {str(kind) for kind in TAKEN if pa.types.is_decimal(kind)}
    dates = {"date32[day]", "date64[ms]"}
    moments = {str(kind) for kind in TAKEN if pa.types.is_timestamp(kind)}
    keyed = texts | integers | decimals | dates | {"bool"}
    assert taken["keyed-hash"] == taken["deterministic-encryption"] == keyed
    long_integers = {f"{sign}int{bits}" for sign in ("", "u") for bits in (32, 64)}
    assert taken["format-preserving-encryption"] == texts | long_integers
    for name in ("character-mask", "reveal", "tokenizer", "reversible-tokenizer", "token-reverser"):
        assert taken[name] == texts
    assert taken["round"] == integers | floats | decimals
    assert taken["date-truncate"] >= moments
    assert taken["date-truncation"] == taken["date-perturbation"] == dates | moments
    assert taken["numeric-rounding"] == taken["numeric-perturbation"] == integers | floats
    assert taken["add-noise"] >= integers | floats | decimals


CANARY_DATE = datetime(9876, 5, 4, 3, 21, 0, tzinfo=UTC)
REFUSALS: tuple[tuple[dict[str, Any], pa.Array], ...] = (
    (FORMAT, pa.array(["98765", "9876543210x", "日本"])),
    (FORMAT, pa.array(["98765"]).dictionary_encode()),
    ({**FORMAT, "width": 9}, pa.array([9_876_543_210, -9_876_543_210])),
    ({"type": "reveal", "key": NEW}, pa.array(["e1_98765432109876543210987654321098"])),
    ({"type": "reveal", "key": NEW}, pa.array(["9876543210"]).dictionary_encode()),
    ({"type": "token-reverser", "key": OLD}, pa.array(["9876543210"])),
    ({"type": "reversible-tokenizer", "key": OLD, "encoding": "latin-1"}, pa.array(["9876543210 日本"])),
    ({"type": "keyed-hash", "key": NEW}, pa.array([b"9876543210 \xff"]).view(pa.string())),
    ({"type": "tokenizer"}, pa.array([b"9876543210 \xff"]).view(pa.string()).cast(pa.string_view())),
    ({"type": "character-mask", "pattern": "9"}, pa.array([b"9876543210 \xff"]).view(pa.string())),
    ({"type": "character-mask"}, pa.array([b"9876543210 \xff"]).view(pa.string())),
    ({"type": "round", "precision": -3}, pa.array([65_501], pa.uint16())),
    ({"type": "round", "precision": -4}, pa.array([65_500.0], pa.float16())),
    ({"type": "round", "precision": -9}, pa.array([Decimal("9876543210")], pa.decimal128(10, 0))),
    ({"type": "numeric-rounding", "dtype": "Byte", "precision": 0}, pa.array([9_876_543_210.0, float("nan")])),
    ({"type": "numeric-rounding", "dtype": "Byte", "precision": 0}, pa.array([9_876_543_210])),
    ({"type": "numeric-rounding", "dtype": "Float", "precision": 0}, pa.array([9.876543210e200])),
    ({"type": "numeric-perturbation", "dtype": "Byte", "min": 9, "max": 10}, pa.array([120], pa.int8())),
    (
        {"type": "date-perturbation", "frequency": "YEAR", "min": 200, "max": 201},
        pa.array([CANARY_DATE.replace(year=2198)], pa.timestamp("ns", "UTC")),
    ),
    ({"type": "date-truncate", "unit": "year"}, pa.array([-(2**63) + 9_876_543_210], pa.timestamp("ns"))),
)


@pytest.mark.parametrize(("spec", "array"), REFUSALS)
def test_a_refusal_counts_the_values_and_shows_none(
    spec: dict[str, Any], array: pa.Array, transform: Callable[..., pa.Array]
) -> None:
    with pytest.raises(ValueRefused) as refusal:
        transform(spec, array, column="the column")
    message = "".join(traceback.format_exception(refusal.value))
    assert f"column `the column`, `{spec['type']}`: {len(array)} value" in message
    assert "98765" not in message
    assert "655" not in message
    assert "日本" not in message
    assert refusal.value.__cause__ is None
