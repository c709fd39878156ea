"""What travels to the executors: a plan with the keys that it needs, and the kernels over what Spark hands over.

Spark pickles it into the closure of a function. No key can be read in its text or its pickle: key bytes travel beside
the random pad that hides them. That keeps them out of dumps and logs; whoever gets hold of the whole closure can join
the two, so the wire must be encrypted (docs/spark.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.engines.bound import BoundPlan
from cape_airflow.engines.failures import attempt
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.policy import Plan

RESULT = "__cape_result__"
"""Name of the column that holds what the kernels made of a row."""
KEPT = "kept"
"""Name of the field of it that is false where the row is suppressed."""


def slot(place: int) -> str:
    """Return the name of an output column inside the result; users' names may differ in nothing but case."""
    return f"_{place}"


class _Shipped:
    """Key material as it travels: a provider on the other side."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name: key for key in keys}

    def get(self, name: str) -> Key | None:
        """Return the key, or None where it was not shipped."""
        return self._keys.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the names of the keys on board."""
        return tuple(self._keys)

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: ({number: _hidden(secret) for number, secret in key.versions.items()}, *_rights(key))
            for name, key in self._keys.items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._keys = {
            name: Key(name, {number: _shown(*halves) for number, halves in versions.items()}, *rights)
            for name, (versions, *rights) in state.items()
        }


def _rights(key: Key) -> tuple[Any, ...]:
    return key.primary, key.retired, key.destroyed, key.may_reveal


def _hidden(secret: Secret) -> tuple[bytes, bytes]:
    material = secret.reveal()
    pad = os.urandom(len(material))
    return pad, _xor(pad, material)


def _shown(pad: bytes, hidden: bytes) -> Secret:
    return Secret(_xor(pad, hidden))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


class Kernels:
    """A plan that runs on executors, over some columns of a DataFrame. It can be pickled, and shows no key.

    Each task gets one of its own, with fresh random state.

    Args:
        plan: whose `read_columns` are handed over, and whose `output_schema` comes back.
        keys: where its key references resolve, now.

    Raises:
        KeyUnavailable: a key cannot be had, or is of the wrong length.
    """

    def __init__(self, plan: Plan, keys: KeyRing) -> None:
        BoundPlan(plan, keys)  # here, and not on an executor, a missing or short key is found
        self._plan = plan.to_dict()
        self._keys = _Shipped(keys.get(name) for name in plan.key_names)

    def __getstate__(self) -> dict[str, Any]:
        return {"_plan": self._plan, "_keys": self._keys}

    def __repr__(self) -> str:
        return "Kernels(***)"

    @cached_property
    def _bound(self) -> BoundPlan:
        return BoundPlan(Plan.from_dict(self._plan), KeyRing(self._keys))

    def de_identified(self, *columns: pa.Array) -> pa.Array:
        """Return what the plan makes of rows: a struct for each, of the output columns and whether the row is kept.

        Args:
            columns: the plan's `read_columns`, in their order.

        Raises:
            ValueRefused: values that a technique cannot take; the message counts them and shows none.
            DataError: a technique failed in another way.
        """
        output, left = self._bound.trace(self._batch(columns))
        made, kept = output.columns, pa.repeat(True, len(columns[0]))
        if left is not None:
            places = pc.index_in(pa.array(range(len(kept)), pa.int64()), value_set=left)
            made, kept = [column.take(places) for column in made], places.is_valid()
        names = [*map(slot, range(len(made))), KEPT]
        return pa.StructArray.from_arrays([*made, kept], names=names)

    def over_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches with the result as their last column, for Spark without functions over Arrow arrays."""
        names = self._bound.plan.read_columns
        for batch in batches:
            yield batch.append_column(RESULT, self.de_identified(*(batch.column(name) for name in names)))

    def _batch(self, columns: tuple[pa.Array, ...]) -> pa.RecordBatch:
        plan = self._bound.plan
        fields = [plan.input_schema.field(name) for name in plan.read_columns]
        taken = [_as_planned(column, field) for column, field in zip(columns, fields, strict=True)]
        return pa.RecordBatch.from_arrays(taken, [field.name for field in fields])


def _as_planned(column: pa.Array, field: pa.Field) -> pa.Array:
    """Return the column in the plan's type: Spark may use large layouts, and the session's zone for moments."""
    return attempt(lambda: column.cast(field.type), "the input", f"column `{field.name}`")
