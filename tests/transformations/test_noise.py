"""Noise: its distributions, its ends, and what it depends on."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import KeyUnavailable, PolicyError, SchemaMismatch, ValueRefused
from cape_airflow.kernels.encode import repeats
from cape_airflow.keys import Secret, derive
from cape_airflow.transformations import Transformation, create

Transform = Callable[..., pa.Array]
ROWS = 60_000


def _uniform(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"type": "add-noise", "min": low, "max": high, **more}


def _scaled(distribution: str, scale: float, **more: Any) -> dict[str, Any]:
    return {"type": "add-noise", "distribution": distribution, "scale": scale, **more}


def _technique(spec: dict[str, Any]) -> Transformation:
    technique = create(spec)
    assert isinstance(technique, Transformation)
    return technique


def test_whole_noise_is_even_with_both_ends(transform: Transform) -> None:
    noise = transform(_uniform(-2, 2, seed=7), pa.array(np.zeros(ROWS, np.int64))).to_numpy()
    values, counts = np.unique(noise, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    expected = ROWS / 5
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 33.4  # 4 degrees of freedom, alpha 1e-6


def test_fractions_of_the_ends_are_out_of_reach_for_whole_types(transform: Transform) -> None:
    noise = transform(_uniform(-1.9, 2.9), pa.array(np.zeros(1000, np.int64))).to_pylist()
    assert set(noise) == {-1, 0, 1, 2}
    with pytest.raises(SchemaMismatch, match="there is no noise that int64 can hold"):
        _technique(_uniform(0.2, 0.8)).output_type(pa.int64())


def test_decimals_get_noise_in_their_last_place(transform: Transform) -> None:
    array = pa.array([Decimal("100.00")] * 2000, pa.decimal128(9, 2))
    result = transform(_uniform(-0.02, 0.02), array).to_pylist()
    assert set(result) == {Decimal(f"{cents}e-2") for cents in range(9998, 10003)}


def test_unseeded_noise_differs_from_run_to_run(transform: Transform) -> None:
    array = pa.array(np.zeros(100))
    for spec in (_uniform(-1, 1), _scaled("gaussian", 1), _scaled("laplace", 1)):
        assert not transform(spec, array).equals(transform(spec, array))
        assert not _technique(spec).ordered


def test_equal_values_of_a_dictionary_get_different_noise(transform: Transform) -> None:
    array = pa.array([5] * 100).dictionary_encode()
    result = transform(_uniform(-1000, 1000), array)
    assert result.type == pa.int64()
    assert len(set(result.to_pylist())) > 50


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int64(), pa.uint64(), pa.uint16()])
def test_sums_stop_at_the_ends_of_the_type(kind: pa.DataType, transform: Transform) -> None:
    limits = np.iinfo(kind.to_pandas_dtype())
    array = pa.array([limits.min, limits.max], kind)
    assert transform(_uniform(1000, 1001), array).to_pylist()[1] == limits.max
    assert transform(_uniform(-1001, -1000), array).to_pylist()[0] == limits.min


def test_sums_of_floats_and_decimals_stop_at_the_ends_too(transform: Transform) -> None:
    largest = float(np.finfo(np.float16).max)
    halves = pa.array([largest, -largest, float("inf"), float("nan")], pa.float16())
    result = transform(_uniform(100, 200), halves).to_pylist()
    assert (result[0], result[2]) == (largest, float("inf"))
    assert np.isnan(result[3])
    decimals = pa.array([Decimal("999.99"), Decimal("-999.99")], pa.decimal128(5, 2))
    assert transform(_uniform(1, 2), decimals).to_pylist()[0] == Decimal("999.99")
    assert transform(_uniform(-2, -1), decimals).to_pylist()[1] == Decimal("-999.99")


@given(
    distribution=st.sampled_from(["uniform", "gaussian", "laplace"]),
    kind=st.sampled_from([pa.int32(), pa.float64(), pa.decimal128(20, 3)]),
    cuts=st.lists(st.integers(0, 50), max_size=5).map(sorted),
    seed=st.integers(0, 2**64 - 1),
)
def test_seeded_noise_is_the_same_whatever_the_batches(
    distribution: str, kind: pa.DataType, cuts: list[int], seed: int, transform: Transform
) -> None:
    spec = _uniform(-3, 2**61 / 1e18, seed=seed) if distribution == "uniform" else _scaled(distribution, 9, seed=seed)
    array = pa.array([str(number) for number in range(50)]).cast(kind)
    technique = _technique(spec)
    assert technique.ordered
    from cape_airflow.keys import KeyRing
    from cape_airflow.transformations import Binding

    kernel = technique.bind(Binding(KeyRing()))
    parts = [kernel(array[start:end]) for start, end in pairwise([0, *cuts, 50])]
    assert pa.concat_arrays(parts).equals(transform(spec, array))


def test_dates_move_by_whole_units_and_keep_their_time_of_day(transform: Transform) -> None:
    days = pa.array([date(2020, 1, 10)] * 1000)
    moved = transform(_uniform(-1, 1, unit="day"), days).to_pylist()
    assert set(moved) == {date(2020, 1, 9), date(2020, 1, 10), date(2020, 1, 11)}
    hours = pa.array([12_345] * 1000, pa.int64()).view(pa.timestamp("s", "Europe/Paris"))
    noise = transform(_scaled("laplace", 5, unit="hour"), hours).cast(pa.int64()).to_numpy() - 12_345
    assert set(noise % 3600) == {0}
    assert len(set(noise)) > 5


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        (_uniform(-1, 1), pa.date32(), "dates and timestamps need a `unit`"),
        (_uniform(-1, 1, unit="day"), pa.int64(), "numbers take none"),
        (_uniform(-1, 1, unit="hour"), pa.date32(), "a date has no hour; choose day or week"),
        (_uniform(-1e5, 1e5, unit="week"), pa.timestamp("ns"), "there is no noise that timestamp.ns. can hold"),
        (_uniform(0, 1e19), pa.uint64(), "there is no noise that uint64 can hold"),
        (_uniform(-1, 1), pa.string(), "`add-noise` takes numbers, dates and timestamps, not string"),
    ],
)
def test_noise_that_makes_no_sense_is_refused_before_the_run(
    spec: dict[str, Any], kind: pa.DataType, message: str
) -> None:
    with pytest.raises(SchemaMismatch, match=message):
        _technique(spec).output_type(kind)


def test_the_notes_say_that_this_is_no_differential_privacy_and_what_a_seed_means() -> None:
    assert len(list(_technique(_uniform(0, 1)).notes())) == 1
    first, second = _technique(_uniform(0, 1, seed=1)).notes()
    assert "not differential privacy" in first
    assert "seed" in second


CONSISTENT = {"consistent": True, "key": {"ref": "customer-id"}}
EQUALS = [
    (pa.array([5, -7], pa.int8()), pa.array([5, -7], pa.int64())),
    (pa.array([5], pa.uint64()), pa.array([5], pa.int16())),
    (pa.array([0.5, -0.0], pa.float16()), pa.array([0.5, 0.0], pa.float64())),
    (pa.array([5, 5]).dictionary_encode(), pa.array([5, 5])),
]


@pytest.mark.parametrize(("one", "other"), EQUALS)
def test_equal_values_get_equal_consistent_noise_whatever_their_width(
    one: pa.Array, other: pa.Array, transform: Transform
) -> None:
    for spec in (
        _uniform(-3, 3, **CONSISTENT),
        _scaled("gaussian", 2, **CONSISTENT),
        _scaled("laplace", 2, **CONSISTENT),
    ):
        first, second = transform(spec, one), transform(spec, other)
        assert first.cast(second.type, safe=False).to_pylist() == pytest.approx(second.to_pylist(), rel=1e-3)


@given(
    distribution=st.sampled_from(["uniform", "gaussian", "laplace"]),
    kind=st.sampled_from([pa.int32(), pa.uint64(), pa.float64(), pa.decimal128(20, 3), pa.decimal256(60, 3)]),
    numbers=st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1),
)
def test_consistent_noise_depends_on_the_value_alone_not_on_its_row_or_run(
    distribution: str, kind: pa.DataType, numbers: list[int | None], transform: Transform
) -> None:
    spec = _uniform(-9, 9, **CONSISTENT) if distribution == "uniform" else _scaled(distribution, 9, **CONSISTENT)
    array = pa.array([None if number is None else str(number) for number in numbers]).cast(kind)
    assert not _technique(spec).ordered
    seen = dict(zip(numbers, transform(spec, array).to_pylist(), strict=True))
    for start in range(len(array)):
        assert transform(spec, array[start:]).to_pylist() == [seen[number] for number in numbers[start:]]


def test_consistent_noise_differs_between_values_keys_and_domains(transform: Transform, ring: Any) -> None:
    array = pa.array(np.arange(2000))
    for spec in (_uniform(-(10**9), 10**9, **CONSISTENT), _scaled("gaussian", 1e9, **CONSISTENT)):
        columns = [
            transform(spec, array),
            transform(spec, array, domain="another"),
            transform(spec, array, keys=ring(customer_id=bytes(64))),
            transform(spec, array.cast(pa.float64())).cast(pa.int64(), safe=False),
        ]
        assert len({value for column in columns for value in column.to_pylist()}) > 7990
        assert columns[0].equals(transform(spec, array))


def test_consistent_whole_noise_is_even_over_the_values(transform: Transform) -> None:
    array = pa.array(np.arange(ROWS))
    noise = transform(_uniform(-2, 2, **CONSISTENT), array).to_numpy() - array.to_numpy()
    values, counts = np.unique(noise, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert ((counts - ROWS / 5) ** 2 / (ROWS / 5)).sum() < 33.4  # 4 degrees of freedom, alpha 1e-6


def test_consistent_noise_moves_dates_and_decimals_too(transform: Transform) -> None:
    days = pa.array([date(2020, 1, 10)] * 3 + [date(2020, 1, 11)])
    moved = transform(_uniform(-1000, 1000, unit="day", **CONSISTENT), days).to_pylist()
    assert len(set(moved)) == 2
    decimals = pa.array([Decimal("1.50"), Decimal("1.50"), Decimal("2.50")], pa.decimal128(9, 2))
    assert len(set(transform(_uniform(-100, 100, **CONSISTENT), decimals).to_pylist())) == 2


def test_consistent_noise_is_linkable_and_says_so() -> None:
    spec = _uniform(0, 1, **CONSISTENT)
    assert _technique(spec).is_linkable
    assert not _technique(_uniform(0, 1)).is_linkable
    assert "equal values stay equal" in list(_technique(spec).notes())[-1]


@pytest.mark.parametrize("more", [{"consistent": True}, {"key": {"ref": "k"}}, {**CONSISTENT, "seed": 1}])
def test_consistent_noise_has_a_key_and_no_seed(more: dict[str, Any]) -> None:
    with pytest.raises(
        PolicyError, match=r"`consistent: true` and a `key` go together|takes its randomness from the key"
    ):
        create(_uniform(0, 1, **more))


def test_the_key_of_consistent_noise_is_not_short(transform: Transform, ring: Any) -> None:
    with pytest.raises(KeyUnavailable, match="has less than 32 bytes"):
        transform(_uniform(0, 1, **CONSISTENT), pa.array([1]), keys=ring(customer_id=bytes(31)))


SUBJECT = {**CONSISTENT, "subject": "person"}
SHIFT = _uniform(-365, 365, unit="day", **SUBJECT)
DAYS = pa.array([date(2020, 1, 10)] * 3)


@pytest.fixture(scope="session")
def shift(transform: Transform) -> Callable[..., list[int]]:
    """Return a function that gives the days by which noise moves each of three equal dates."""

    def shift(subjects: pa.Array, spec: dict[str, Any] = SHIFT, **binding: Any) -> list[int]:
        return [(day - date(2020, 1, 10)).days for day in transform(spec, DAYS, subjects, **binding).to_pylist()]

    return shift


def _shift_by_definition(person: str, domain: str) -> int:
    """Work out the shift from the standards: HKDF, HMAC-SHA-256, then a CBC-MAC of AES over its first 16 bytes."""
    parameters = '{"distribution":"uniform","max":365,"min":-365,"scale":null,"unit":"day"}'
    purpose = f"add-noise/subject/{parameters}/customer-id"
    secret = derive(Secret(bytes(range(64))), purpose=purpose, domain=domain, length=64).reveal()
    digest = hmac.digest(secret[:32], person.encode(), "sha256")
    for draw in count():
        blocks = [
            digest[8 * place : 8 * place + 8] + (draw << 16 | 2 << 8 | place).to_bytes(8, "little") for place in (0, 1)
        ]
        message = b"".join(blocks)
        chain = Cipher(algorithms.AES(secret[32:]), modes.CBC(bytes(16))).encryptor().update(message)
        word = int.from_bytes(chain[-16:-8], "little")
        if word < 2**64 - 2**64 % 731:
            return word % 731 - 365
    raise AssertionError


@given(people=st.lists(st.text(), min_size=3, max_size=3), domain=st.text(max_size=5))
def test_the_shift_of_a_subject_is_what_the_standards_say(people: list[str], domain: str, shift: Any) -> None:
    assert shift(pa.array(people), domain=domain) == [_shift_by_definition(person, domain) for person in people]


@given(
    people=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    spec=st.sampled_from(
        [_uniform(-99, 99, **SUBJECT), _scaled("gaussian", 40, **SUBJECT), _scaled("laplace", 40, **SUBJECT)]
    ),
    kind=st.sampled_from([pa.int64(), pa.float64(), pa.decimal128(20, 0), pa.date32(), pa.timestamp("us", "UTC")]),
    start=st.integers(0, 30),
)
def test_all_values_of_a_subject_move_by_the_same_amount_whatever_the_rows(
    people: list[int], spec: dict[str, Any], kind: pa.DataType, start: int, transform: Transform
) -> None:
    temporal = pa.types.is_temporal(kind)
    spec = {**spec, "unit": "day"} if temporal else spec
    numbers = pa.array(range(len(people)), pa.int32() if pa.types.is_date32(kind) else pa.int64())
    values = numbers.view(kind) if temporal else numbers.cast(kind)
    moved = transform(spec, values, pa.array(people))
    bare = moved.view(numbers.type) if temporal else moved
    distances = [float(end) - begin for begin, end in enumerate(bare.to_pylist())]
    by_person = dict(zip(people, distances, strict=True))
    assert distances == pytest.approx([by_person[person] for person in people], abs=1e-9)
    assert transform(spec, values[start:], pa.array(people)[start:]).equals(moved[start:])


def test_dates_and_timestamps_of_a_subject_move_alike(transform: Transform) -> None:
    people = pa.array(["ann", "ben", "cy"])
    days = transform(SHIFT, DAYS, people)
    for kind in (pa.date64(), pa.timestamp("s"), pa.timestamp("ns", "UTC")):
        assert transform(SHIFT, DAYS.cast(kind), people).cast(pa.date32()).equals(days)


def test_noise_differs_between_subjects_keys_domains_and_parameters(shift: Any, ring: Any) -> None:
    wide = _uniform(-(10**5), 10**5, unit="day", **SUBJECT)
    shifts = [
        shift(pa.array(["ann", "ben", "cy"]), wide),
        shift(pa.array(["ann", "ben", "cy"]), wide, domain="another"),
        shift(pa.array(["ann", "ben", "cy"]), wide, keys=ring(customer_id=bytes(64))),
        shift(pa.array(["ann", "ben", "cy"]), {**wide, "max": 10**5 + 1}),
        shift(pa.array(["ann", "ben", "cy"]), {**wide, "min": -(10**5) - 1}),
    ]
    assert len({days for each in shifts for days in each}) == 15
    assert shift(pa.array(["ann"] * 3), wide) == shifts[0][:1] * 3


@pytest.mark.parametrize(
    "subjects",
    [
        pa.array([5, 5, 5], pa.uint8()),
        pa.array([Decimal("5.00")] * 3, pa.decimal128(9, 2)),
        pa.array(["5"] * 3, pa.large_string()),
        pa.array(["5"] * 3, pa.string_view()),
        pa.array(["5"] * 3).dictionary_encode(),
        pa.array([None, "5", "5", "5"])[1:],
    ],
    ids=lambda array: str(array.type),
)
def test_a_subject_is_its_text_whatever_the_type(subjects: pa.Array, shift: Any) -> None:
    assert shift(subjects) == [_shift_by_definition("5", "test")] * 3


def test_subjects_that_repeat_are_hashed_by_their_distinct_values(transform: Transform) -> None:
    people = pa.array([f"person {row % 50}" for row in range(5000)])
    assert repeats(people)
    moved = transform(_uniform(-999, 999, **SUBJECT), pa.array([0] * 5000), people)
    assert moved[:50].to_pylist() * 100 == moved.to_pylist()
    assert moved[:50].equals(transform(_uniform(-999, 999, **SUBJECT), pa.array([0] * 50), people[:50]))


def test_a_value_without_a_subject_is_refused_and_counted(transform: Transform) -> None:
    people = pa.array(["S3CRET", None, None, None])
    values = pa.array([987_654, 987_655, 987_656, None])
    message = (
        "column `c`, `add-noise`: 2 values refused: their `subject`, column `person`, is null; "
        "suppress such rows, by a rule with `where: person is null`"
    )
    for subjects in (people, people.dictionary_encode()):
        with pytest.raises(ValueRefused) as refusal:
            transform(_uniform(0, 9, **SUBJECT), values, subjects)
        assert str(refusal.value) == message
    known = transform(_uniform(0, 9, **SUBJECT), pa.array([None, 1]), pa.array([None, "ann"]))
    assert known.is_null().to_pylist() == [True, False]


def test_a_subject_that_is_not_utf_8_is_refused_and_named(transform: Transform) -> None:
    people = pa.array([b"ann", b"\xff S3CRET"]).view(pa.string())
    with pytest.raises(ValueRefused, match="`subject`, column `person`: 1 value refused: not valid UTF-8") as refusal:
        transform(_uniform(0, 9, **SUBJECT), pa.array([1, 2]), people)
    assert "S3CRET" not in str(refusal.value)


def test_noise_by_subject_says_what_it_shows() -> None:
    technique = _technique(SHIFT)
    assert dict(technique.other_columns) == {"subject": "person"}
    assert technique.is_linkable
    note = list(technique.notes())[-1]
    assert "noise by `person`: what lies between two values of one subject is kept exactly" in note
    assert "whoever learns one true value knows all of that subject" in note
    assert not _technique(_uniform(0, 1, **CONSISTENT)).other_columns


@pytest.mark.parametrize("more", [{}, {"seed": 1}])
def test_a_subject_needs_consistent_noise(more: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="a `subject` needs `consistent: true` and a `key`"):
        create(_uniform(0, 1, subject="person", **more))
