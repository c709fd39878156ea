"""Policies on frames in memory, as in a notebook: pandas, polars and Arrow, and the same kind comes back."""

from __future__ import annotations

import logging
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.engines.bound import BoundPlan
from cape_airflow.engines.counting import count_rows
from cape_airflow.engines.failures import attempt
from cape_airflow.engines.frame_kinds import Adapter, ArrowFrame, PandasFrame, PolarsFrame
from cape_airflow.engines.guarantees import Guarantees
from cape_airflow.errors import DataError, SchemaMismatch
from cape_airflow.keys import EnvironmentKeys, Key, KeyProvider, KeyRing
from cape_airflow.policy import Plan, Policy, compile_plan, load_policy

logger = logging.getLogger(__name__)
AnyFrame = TypeVar("AnyFrame")


def apply(policy: Policy | str, frame: AnyFrame, keys: KeyRing | KeyProvider | None = None) -> AnyFrame:
    """Apply a policy to a frame, and return a new frame of the same kind. The frame itself is not changed.

    - pandas: the index stays, with the labels of the rows that are left, where it has no name and only counts. Another
      index is data that no rule covers: version 1 keeps it and warns, version 2 asks for `reset_index()` unless its
      default is keep. Kept columns keep their dtype; text gets the dtype of the text it replaces, categories stay
      categories; integers and booleans with nulls become nullable. `attrs` is left out.
    - polars: kept columns keep their dtype.
    - Arrow: Table or RecordBatch.

    Where rows are suppressed, nothing of them stays: categories that only they had are gone, also from a polars Enum.

    Args:
        policy: a policy or its text.
        frame: pandas or polars DataFrame, pyarrow Table or RecordBatch.
        keys: where key references resolve; None for the environment (see `EnvironmentKeys`). Keys that stand in the
            text of a version 1 policy are found by themselves.

    Raises:
        PolicyError: the text is wrong.
        SchemaMismatch: policy and frame do not fit.
        KeyUnavailable: a key cannot be had.
        DataError: values cannot be taken, a guarantee does not hold, or `frame` is of no kind named above.
    """
    policy = load_policy(policy) if isinstance(policy, str) else policy
    adapter = adapter_of(frame)
    _check_beside_columns(policy, adapter.beside_columns())
    table = adapter.table()
    plan = compile_plan(policy, table.schema)
    for warning in plan.warnings:
        logger.warning("%s", warning)
    output, survivors = _run(plan, key_ring(policy, keys), table)
    result: AnyFrame = attempt(lambda: adapter.rebuilt(plan, output, survivors), "the output", "the frame")
    return result


def _check_beside_columns(policy: Policy, carried: str) -> None:
    """Rules are about columns: version 1 warns of what else a frame carries, version 2 wants it covered."""
    if not carried:
        return
    if policy.version == 1:
        logger.warning("%s is kept as it is, since rules are about columns", carried)
    elif policy.default != "keep":
        raise SchemaMismatch(f"{carried} is data that no rule covers; make it a column with `frame.reset_index()`")


def _run(plan: Plan, keys: KeyRing, table: pa.Table) -> tuple[pa.Table, pa.Array | None]:
    """Return the output, and the positions of the rows that are left; None where all are."""
    batches = table.select(list(plan.read_columns)).to_batches()
    bound = BoundPlan(plan, keys, count_rows(plan, keys, table.num_rows, lambda: batches))
    guarantees = Guarantees(plan)
    outputs: list[pa.RecordBatch] = []
    survivors: list[pa.Array] = []
    start = 0
    for batch in batches:
        output, left = bound.trace(batch)
        guarantees.update(output)
        outputs.append(output)
        survivors.append(pc.add(pa.array(np.arange(batch.num_rows)) if left is None else left, start))
        start += batch.num_rows
    guarantees.check()
    result = pa.Table.from_batches(outputs, plan.output_schema)
    whole = result.num_rows == table.num_rows
    return result, None if whole else pa.chunked_array(survivors, pa.int64()).combine_chunks()


class _Ring:
    """A KeyRing in the role of a provider, to stand behind a policy's own keys."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def get(self, name: str) -> Key | None:
        return self._keys.get(name)

    def names(self) -> tuple[str, ...]:
        return ()


def key_ring(policy: Policy, keys: KeyRing | KeyProvider | None) -> KeyRing:
    """Return the keys that a policy is run with; the arguments are those of `apply`."""
    provider = EnvironmentKeys() if keys is None else _Ring(keys) if isinstance(keys, KeyRing) else keys
    return KeyRing(policy.inline_keys(), provider)


def adapter_of(frame: object) -> Adapter:
    """Return what turns a frame into Arrow.

    Raises:
        DataError: it is of no kind that `apply` takes.
    """
    package, kind = type(frame).__module__.partition(".")[0], type(frame).__name__
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return ArrowFrame(frame)
    if (package, kind) == ("polars", "DataFrame"):
        return PolarsFrame(frame)
    if package == "pandas" and kind == "DataFrame":
        return PandasFrame(frame)
    raise DataError(
        "a policy is applied to a pandas or polars DataFrame, or to an Arrow Table or RecordBatch, "
        f"not to a {kind} of {package}"
    )
