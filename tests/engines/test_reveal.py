"""What reveals needs a key that may; without one, nothing is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow import compile_plan, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import run_local
from cape_airflow.engines.spark.messages import Orders
from cape_airflow.engines.spark.shipment import Kernels
from cape_airflow.errors import KeyUnavailable, ValueRefused
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.policy import Plan
from cape_airflow.transformations import Binding, create, techniques
from cape_airflow.transformations.base import Family
from tests.engines.conftest import JOB

REVEALING = {
    "reveal": {"type": "reveal", "key": {"ref": "k"}},
    "reveal of formats": {"type": "reveal", "key": {"ref": "k"}, "of": "format-preserving-encryption", "version": 1},
    "token-reverser": {"type": "token-reverser", "key": {"ref": "k"}},
}
SCHEMA = pa.schema({"a": pa.string()})


class Handed:
    """The keys of a worker: `k`, with version 1 retired, and 32 bytes for Cape's own tokens."""

    def __init__(self, **rights: object) -> None:
        versions = {number: Secret(bytes([number]) * 32) for number in (1, 2)}
        self._key = Key("k", versions, 2, retired=frozenset({1}), **rights)  # type: ignore[arg-type]

    def get(self, name: str) -> Key | None:
        return self._key if name == "k" else None

    def names(self) -> tuple[str, ...]:
        return ("k",)


def plan(transform: dict[str, object], *more: str) -> Plan:
    actions = f"  - match: {{name: a}}\n    actions: [{{transform: {transform}}}]\n".replace("'", "")
    return compile_plan(load_policy("label: p\nversion: 2\nrules:\n" + actions + "".join(more)), SCHEMA)


def ring(**rights: object) -> KeyRing:
    return KeyRing(Handed(**rights))


@pytest.fixture
def unread(tmp_path: Path) -> Callable[..., None]:
    """Run a plan over a file whose rows cannot be read: it is empty but for its footer."""

    def run(plan: Plan, keys: KeyRing) -> None:
        file = tmp_path / "in.parquet"
        pq.write_table(pa.table({"a": ["x"] * 1000}), file)
        content = file.read_bytes()
        file.write_bytes(content[:4] + bytes(40) + content[44:])
        run_local(plan, keys, open_source(str(file)), open_sink(str(tmp_path / "out.parquet"), job_id=JOB), job_id=JOB)

    return run


def test_all_that_reveals_is_asked_here() -> None:
    kinds = {name for name, technique in techniques().items() if technique.family is Family.REIDENTIFICATION}
    assert kinds == {transform["type"] for transform in REVEALING.values()}


@pytest.mark.parametrize("name", REVEALING)
def test_a_policy_that_reveals_is_refused_before_the_data_is_read(
    name: str, unread: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(KeyUnavailable, match="`k` may be applied here"):
        unread(plan(REVEALING[name]), ring(may_reveal=False))
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("name", REVEALING)
def test_a_technique_that_reveals_cannot_be_bound_to_a_key_that_may_not(name: str) -> None:
    technique = create(REVEALING[name])
    technique.bind(Binding(keys=ring()))
    with pytest.raises(KeyUnavailable, match="`k` may be applied here"):
        technique.bind(Binding(keys=ring(may_reveal=False)))


@pytest.mark.parametrize("name", REVEALING)
def test_neither_the_driver_of_spark_nor_its_executors_get_a_plan_that_may_not_reveal(name: str) -> None:
    for ship in (Orders.of, Kernels):
        with pytest.raises(KeyUnavailable, match="`k` may be applied here"):
            ship(plan(REVEALING[name]), ring(may_reveal=False))


def test_what_is_told_to_the_driver_keeps_the_rights_of_each_key() -> None:
    orders = Orders.of(plan({"type": "keyed-hash", "key": {"ref": "k"}}), ring(may_reveal=False))
    arrived = Orders.model_validate_json(orders.model_dump_json()).key_ring().get("k")
    assert (arrived.may_reveal, arrived.retired, arrived.primary) == (False, {1}, 2)


def test_who_may_not_reveal_applies_keys_all_the_same() -> None:
    for technique in ("keyed-hash", "deterministic-encryption"):
        kernel = create({"type": technique, "key": {"ref": "k"}}).bind(Binding(keys=ring(may_reveal=False)))
        assert kernel(pa.array(["x"]))[0].as_py()[1:3] == "2_"


def test_format_preserving_encryption_makes_nothing_new_with_a_retired_version() -> None:
    encryption = {"type": "format-preserving-encryption", "key": {"ref": "k"}}
    with pytest.raises(KeyUnavailable, match="version 1 of key `k` is retired"):
        create(encryption | {"version": 1}).bind(Binding(keys=ring()))
    create(encryption | {"version": 2}).bind(Binding(keys=ring()))
    reveal = create({"type": "reveal", "key": {"ref": "k"}, "of": "format-preserving-encryption", "version": 1})
    reveal.bind(Binding(keys=ring()))


def test_tokens_of_a_destroyed_version_are_refused_with_the_name_of_the_key() -> None:
    made = Key("k", {1: Secret(b"a" * 32)})
    left = Key("k", {2: Secret(b"b" * 32)}, 2, destroyed=frozenset({1}))

    def bound(technique: str, key: Key) -> Callable[[pa.Array], pa.Array]:
        ring = KeyRing(type("One", (), {"get": lambda _, name: key, "names": lambda _: ("k",)})())
        return create({"type": technique, "key": {"ref": "k"}}).bind(Binding(keys=ring, column="a"))

    tokens = bound("deterministic-encryption", made)(pa.array(["x", "y"]))
    with pytest.raises(ValueRefused, match=r"2 values.*destroyed of key `k` \(version 1\)"):
        bound("reveal", left)(tokens)
