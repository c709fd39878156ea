"""Row conditions: a small tree of comparisons, evaluated over Arrow arrays with SQL's three-valued logic.

A condition is plain data (`to_dict`), never code. `mask` is true where the row is to be suppressed; a null result is
"not true", so the row stays. Columns are compared with constants or with columns of the same family of types.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.arrow_types import type_name
from cape_airflow.errors import SchemaMismatch, did_you_mean
from cape_airflow.kernels.text import without_views
from cape_airflow.policy.literals import Value, family, to_scalar

COMPARISONS: dict[str, Callable[..., Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


@dataclass(frozen=True)
class Column:
    """A column by its exact name."""

    name: str

    def check(self, schema: pa.Schema) -> None:
        """Raise SchemaMismatch where there is no such column."""
        if self.name not in schema.names:
            hint = did_you_mean(self.name, schema.names)
            raise SchemaMismatch(f"the condition names column `{self.name}`, which is not there{hint}")

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the column's values in a form that Arrow compares: dictionaries and views unpacked, NaN as null.

        Raises:
            SchemaMismatch: there is no such column.
        """
        self.check(batch.schema)
        array = batch.column(self.name)
        if pa.types.is_dictionary(array.type) or pa.types.is_run_end_encoded(array.type):
            array = array.cast(array.type.value_type)
        if pa.types.is_floating(array.type):
            # pandas has no null but NaN here; one table must not lose other rows in one container than in another.
            array = pc.if_else(pc.is_nan(array.cast(pa.float64())), pa.scalar(None, array.type), array)
        return array.cast(without_views(array.type))


@dataclass(frozen=True)
class Literal:
    """A constant: text, number or boolean."""

    value: Value

    def scalar(self, array: pa.Array, column: Column) -> pa.Scalar:
        """Return the constant as Arrow compares it with that column.

        Raises:
            SchemaMismatch: it cannot be compared with a column of that type.
        """
        scalar = to_scalar(self.value, array.type)
        if scalar is None:
            kind = {bool: "boolean", str: "text"}.get(type(self.value), "number")
            place = f"column `{column.name}` ({type_name(array.type)})"
            raise SchemaMismatch(f"the condition compares {place} with a {kind} that does not fit it")
        return scalar


class Condition(ABC):
    """A node of the tree: a frozen dataclass of columns, constants and further conditions."""

    op: ClassVar[str]

    def mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Return which rows of the batch fulfil the condition; never null.

        Raises:
            SchemaMismatch: a column is missing or of a type that cannot be compared so (see `check`).
        """
        return pc.fill_null(self._evaluate(batch), False)

    def check(self, schema: pa.Schema) -> None:
        """Raise SchemaMismatch unless this condition can be evaluated over data of that schema."""
        for name in sorted(self.columns()):
            Column(name).check(schema)
        read = pa.schema([field for field in schema if field.name in self.columns()])
        try:
            self.mask(pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in read], schema=read))
        except pa.ArrowException:
            columns = ", ".join(f"`{name}`" for name in sorted(self.columns()))
            failure = SchemaMismatch(f"the condition compares {columns} in a way that their types do not allow")
        else:
            return
        raise failure

    def columns(self) -> frozenset[str]:
        """Return the names of the columns that it reads."""
        names: set[str] = set()
        for part in self._parts():
            if isinstance(part, Column):
                names.add(part.name)
            elif isinstance(part, Condition):
                names |= part.columns()
        return frozenset(names)

    def terms_inside(self) -> list[Condition]:
        """Return the conditions that this one is directly made of."""
        return [part for part in self._parts() if isinstance(part, Condition)]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data; `condition_from_dict` is the inverse."""
        return {"op": self.op, **{field.name: _encode(getattr(self, field.name)) for field in fields(self)}}  # type: ignore[arg-type]

    def _parts(self) -> list[Any]:
        values = [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
        return [part for value in values for part in (value if isinstance(value, tuple) else (value,))]

    @abstractmethod
    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        """Return true, false or null for every row."""


@dataclass(frozen=True)
class Comparison(Condition):
    """`left` `operator` `right`; the operator is one of = != < <= > >=."""

    op: ClassVar[str] = "compare"
    operator: str
    left: Column
    right: Column | Literal

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        left = self.left.array(batch)
        if isinstance(self.right, Literal):
            return COMPARISONS[self.operator](left, self.right.scalar(left, self.left))
        right = self.right.array(batch)
        if family(left.type) is None or family(left.type) != family(right.type):
            raise SchemaMismatch(
                f"the condition compares column `{self.left.name}` ({type_name(left.type)}) "
                f"with `{self.right.name}` ({type_name(right.type)})"
            )
        return COMPARISONS[self.operator](left, right)


@dataclass(frozen=True)
class Truth(Condition):
    """A boolean column that stands for itself."""

    op: ClassVar[str] = "truth"
    column: Column

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        array = self.column.array(batch)
        if not pa.types.is_boolean(array.type):
            raise SchemaMismatch(
                f"the condition uses column `{self.column.name}` ({type_name(array.type)}) as if it were boolean"
            )
        return array


@dataclass(frozen=True)
class IsNull(Condition):
    """The column is null."""

    op: ClassVar[str] = "is-null"
    column: Column

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        return pc.is_null(self.column.array(batch))


@dataclass(frozen=True)
class In(Condition):
    """The column equals one of the values."""

    op: ClassVar[str] = "in"
    column: Column
    values: tuple[Literal, ...]

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        array = self.column.array(batch)
        return reduce(pc.or_kleene, (pc.equal(array, value.scalar(array, self.column)) for value in self.values))


@dataclass(frozen=True)
class Like(Condition):
    """The text column matches an SQL pattern (% and _)."""

    op: ClassVar[str] = "like"
    column: Column
    pattern: str

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        array = self.column.array(batch)
        if family(array.type) != "text":
            raise SchemaMismatch(f"LIKE needs text, and column `{self.column.name}` is {type_name(array.type)}")
        return pc.match_like(array, self.pattern)


@dataclass(frozen=True)
class Not(Condition):
    """The term is false (null stays null)."""

    op: ClassVar[str] = "not"
    term: Condition

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        return pc.invert(self.term._evaluate(batch))


@dataclass(frozen=True)
class And(Condition):
    """All terms are true."""

    op: ClassVar[str] = "and"
    terms: tuple[Condition, ...]

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        return reduce(pc.and_kleene, (term._evaluate(batch) for term in self.terms))


@dataclass(frozen=True)
class Or(Condition):
    """At least one term is true."""

    op: ClassVar[str] = "or"
    terms: tuple[Condition, ...]

    def _evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        return reduce(pc.or_kleene, (term._evaluate(batch) for term in self.terms))


_KINDS: dict[str, Callable[..., Condition]] = {
    kind.op: kind for kind in (Comparison, Truth, IsNull, In, Like, Not, And, Or)
}


def condition_from_dict(data: dict[str, Any]) -> Condition:
    """Rebuild a condition from `to_dict`'s data.

    Raises:
        KeyError, TypeError: the data is not of `to_dict`'s shape.
    """
    return _KINDS[data["op"]](**{name: _decode(value) for name, value in data.items() if name != "op"})


def _encode(part: Any) -> Any:
    if isinstance(part, tuple):
        return [_encode(each) for each in part]
    if isinstance(part, Condition):
        return part.to_dict()
    if isinstance(part, Column):
        return {"name": part.name}
    return {"value": part.value} if isinstance(part, Literal) else part


def _decode(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(_decode(each) for each in data)
    if not isinstance(data, dict):
        return data
    if "op" in data:
        return condition_from_dict(data)
    return Column(data["name"]) if "name" in data else Literal(data["value"])
