"""What travels to the executors."""

from __future__ import annotations

import base64
import pickle

import pyarrow as pa
import pytest

from cape_airflow import compile_plan, load_policy
from cape_airflow.engines import BoundPlan
from cape_airflow.engines.spark.shipment import KEPT, RESULT, Kernels
from cape_airflow.errors import DataError, KeyUnavailable, ValueRefused
from cape_airflow.keys import KeyRing

HASH = "{match: {name: a}, actions: [{transform: {type: keyed-hash, key: {ref: customers}}}]}"
BATCH = pa.record_batch({"a": ["x", None, "Zoë"], "n": [1, 2, 3]})


def kernels(text: str, keys: KeyRing, schema: pa.Schema = BATCH.schema) -> Kernels:
    return Kernels(compile_plan(load_policy(text), schema), keys)


def test_kernels_do_the_same_after_the_journey(policy, ring) -> None:
    text = policy(HASH)
    arrived = pickle.loads(pickle.dumps(kernels(text, ring)))  # noqa: S301 - our own
    result = arrived.de_identified(*BATCH.columns)
    wanted = BoundPlan(compile_plan(load_policy(text), BATCH.schema), ring).run(BATCH)
    assert result.field(0).equals(wanted.column(0))
    assert result.field(KEPT).to_pylist() == [True] * 3


def test_no_key_can_be_read_in_the_pickle_or_the_text_and_no_two_pickles_are_alike(policy, ring, provider) -> None:
    shipped = kernels(policy(HASH), ring)
    once, again = pickle.dumps(shipped), pickle.dumps(shipped)
    assert once != again
    for secret in (provider.material[:16], provider.material[:64]):
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:20], repr(secret)[2:-1].encode()):
            assert form not in once + again + repr(vars(shipped)).encode() + repr(shipped).encode()


def test_only_the_keys_of_the_plan_travel(policy, ring) -> None:
    shipped = kernels(policy(HASH), ring)
    assert shipped._keys.names() == ("customers",)


def test_suppressed_rows_come_back_null_and_marked(policy, ring) -> None:
    shipped = kernels(policy("{where: a is null, actions: [suppress-record]}", HASH), ring)
    result = shipped.de_identified(*BATCH.columns)
    assert result.field(KEPT).to_pylist() == [True, False, True]
    assert result.field(1).to_pylist() == [1, None, 3]


def test_a_plan_that_only_suppresses_rows_still_says_which_stay(policy, ring) -> None:
    text = policy("{match: {name: a}, actions: [drop]}", "{where: n > 2, actions: [suppress-record]}")
    assert kernels(text, ring).de_identified(BATCH["n"]).field(KEPT).to_pylist() == [True, True, False]


def test_moments_in_the_zone_of_a_session_and_large_layouts_are_taken_as_planned(policy, ring) -> None:
    schema = pa.schema({"a": pa.string(), "t": pa.timestamp("us", "UTC")})
    shipped = kernels(
        policy("{match: {name: t}, actions: [{transform: {type: date-truncate, unit: day}}]}"), ring, schema
    )
    moment = pa.array(
        [90_000_000_000], pa.timestamp("us", "America/New_York")
    )  # 1970-01-02 01:00 UTC, the day before there
    result = shipped.de_identified(pa.array(["x"], pa.large_string()), moment)
    assert result.field(1).cast(pa.int64()).to_pylist() == [86_400_000_000]


def test_batches_get_the_result_as_their_last_column(policy, ring) -> None:
    [batch] = kernels(policy(HASH), ring).over_batches([BATCH])
    assert batch.schema.names == ["a", "n", RESULT]


def test_a_missing_key_is_found_before_anything_travels(policy) -> None:
    with pytest.raises(KeyUnavailable, match="customers"):
        kernels(policy(HASH), KeyRing())


def test_a_refusal_is_ours_and_shows_no_value(policy, ring) -> None:
    text = policy("{match: {name: n}, actions: [{transform: {type: round, precision: -1}}]}")
    with pytest.raises(ValueRefused, match="column `n`, `round`: 1 value") as caught:
        kernels(text, ring).de_identified(pa.array(["x"]), pa.array([2**63 - 1]))
    assert str(2**63 - 1) not in str(caught.value)


def test_a_column_that_cannot_be_taken_is_named_and_its_values_are_not(policy, ring) -> None:
    with pytest.raises(DataError, match="column `n`") as caught:
        kernels(policy(HASH), ring).de_identified(pa.array(["x"]), pa.array(["secret-value"]))
    assert "secret-value" not in str(caught.value)
    assert caught.value.__context__ is None
