"""The kinds of frames: how each becomes Arrow, and how the rows that are left become that kind again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

from cape_airflow.datasets.formats.types import is_text
from cape_airflow.errors import SchemaMismatch
from cape_airflow.policy import Plan


class Adapter(ABC):
    """One kind of frame."""

    @abstractmethod
    def table(self) -> pa.Table:
        """Return the frame as Arrow."""

    @abstractmethod
    def rebuilt(self, plan: Plan, output: pa.Table, survivors: pa.Array | None) -> Any:
        """Return a frame of the rows that are left, in the columns of `output`; kept ones have their dtype."""

    def beside_columns(self) -> str:
        """Return what data the frame has beside its columns, for people; nothing for most kinds."""
        return ""


def _transformed(plan: Plan) -> list[str]:
    return [outcome.name for outcome in plan.columns if outcome.decision == "transformed"]


class ArrowFrame(Adapter):
    """An Arrow Table or RecordBatch."""

    def __init__(self, frame: pa.Table | pa.RecordBatch) -> None:
        self._frame = frame

    def table(self) -> pa.Table:
        """Return the frame as Arrow."""
        return self._frame if isinstance(self._frame, pa.Table) else pa.Table.from_batches([self._frame])

    def rebuilt(self, plan: Plan, output: pa.Table, survivors: pa.Array | None) -> pa.Table | pa.RecordBatch:
        """Return a frame of the rows that are left."""
        if isinstance(self._frame, pa.Table):
            return output
        columns = [column.combine_chunks() for column in output.columns]
        return pa.RecordBatch.from_arrays(columns, schema=output.schema)


class PolarsFrame(Adapter):
    """A polars DataFrame."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def table(self) -> pa.Table:
        """Return the frame as Arrow.

        Raises:
            SchemaMismatch: a column holds what Arrow does not know.
        """
        columns = {name: self._frame.select(name) for name in self._frame.columns}
        return pa.table(
            {name: _as_arrow(name, column.dtypes[0], partial(_from_polars, column)) for name, column in columns.items()}
        )

    def rebuilt(self, plan: Plan, output: pa.Table, survivors: pa.Array | None) -> Any:
        """Return a frame of the rows that are left."""
        import polars as pl

        # All from the output: what polars itself leaves out stays in its buffers.
        left = pl.DataFrame([pl.Series(name, pl.from_arrow(output.column(name))) for name in output.column_names])
        kept = [name for name in left.columns if name not in _transformed(plan)]
        return left.with_columns(
            _polars_kept(left[name], self._frame.schema[name], rows_left_out=survivors is not None) for name in kept
        )


class PandasFrame(Adapter):
    """A pandas DataFrame."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._names = [str(label) for label in frame.columns]

    def table(self) -> pa.Table:
        """Return the frame as Arrow; a column without any value is text.

        Raises:
            SchemaMismatch: a column holds values of several types.
        """
        series = [self._frame.iloc[:, place] for place in range(len(self._names))]
        columns = [
            _as_arrow(name, each.dtype, partial(_from_pandas, each))
            for name, each in zip(self._names, series, strict=True)
        ]
        return pa.table(columns, names=self._names)

    def rebuilt(self, plan: Plan, output: pa.Table, survivors: pa.Array | None) -> Any:
        """Return a frame of the rows that are left."""
        places = [self._names.index(name) for name in output.column_names]
        rows = slice(None) if survivors is None else survivors.to_numpy()
        made = {
            place: _to_pandas(output.column(name), self._frame.dtypes.iloc[place])
            for name, place in zip(output.column_names, places, strict=True)
            if self._is_made(plan, output.schema.field(name), place)
        }
        frame = self._frame.iloc[rows, [place for place in places if place not in made]].copy()
        frame.attrs = {}  # may hold values
        for position, place in enumerate(places):
            if place in made:  # as a Series: a bare array would lose its dtype
                frame.insert(position, self._frame.columns[place], made[place].set_axis(frame.index))
        frame.columns = self._frame.columns[places]
        return frame if survivors is None else _without_unused_categories(frame)

    def _is_made(self, plan: Plan, field: pa.Field, place: int) -> bool:
        """Whether a column is made from the output: what pandas leaves out of Arrow columns stays in their buffers."""
        dtype = self._frame.dtypes.iloc[place]
        return field.name in _transformed(plan) or getattr(dtype, "pyarrow_dtype", None) == field.type

    def beside_columns(self) -> str:
        """Return the index, unless it has no name and only counts."""
        index = self._frame.index
        if index.nlevels == 1 and index.name is None and index.dtype.kind in "iu":
            return ""
        names = ", ".join(f"`{name}`" for name in index.names if name is not None)
        return f"the index {names}".strip()


def _as_arrow(name: str, dtype: Any, convert: Callable[[], pa.ChunkedArray]) -> pa.ChunkedArray:
    try:
        return convert()
    except Exception:  # noqa: BLE001 - whatever frames, Arrow and the objects inside raise may quote values
        failure = SchemaMismatch(
            f"column `{name}` ({dtype}) holds values of several types, or of one that Arrow does not know; "
            "convert it to one type first"
        )
    raise failure


def _from_polars(frame: Any) -> pa.ChunkedArray:
    import polars as pl

    if frame.dtypes == [pl.Object]:
        raise TypeError("of these, Arrow would get the addresses")
    return frame.to_arrow().column(0)


def _from_pandas(series: Any) -> pa.Array | pa.ChunkedArray:
    column = pa.Array.from_pandas(series)
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _polars_kept(series: Any, dtype: Any, *, rows_left_out: bool) -> Any:
    """Return a kept column in its dtype; an Enum loses categories that only suppressed rows may have had."""
    import polars as pl

    if isinstance(dtype, pl.Enum) and rows_left_out:
        left = set(series)
        dtype = pl.Enum([category for category in dtype.categories if category in left])
    return series if dtype.is_nested() else series.cast(dtype)


def _to_pandas(column: pa.ChunkedArray, dtype: Any) -> Any:
    """Return the column as a Series of the kind that pandas held it in before."""
    import pandas as pd

    if isinstance(dtype, pd.ArrowDtype):
        return pd.Series(column, dtype=pd.ArrowDtype(column.type))
    if isinstance(dtype, pd.CategoricalDtype):
        return column.to_pandas().astype("category")
    if is_text(column.type):
        if pd.api.types.is_object_dtype(dtype):
            return pd.Series(column.to_pylist(), dtype=object)
        return column.to_pandas().astype(dtype if pd.api.types.is_string_dtype(dtype) else "str")
    return column.to_pandas(types_mapper=_nullable_types(bool(column.null_count), dtype).get)


def _without_unused_categories(frame: Any) -> Any:
    """Return the frame without categories that only suppressed rows had: they are values, too."""
    for place, dtype in enumerate(frame.dtypes):
        if hasattr(dtype, "categories"):
            frame.isetitem(place, frame.iloc[:, place].array.remove_unused_categories())
    return frame


def _nullable_types(has_nulls: bool, dtype: Any) -> dict[pa.DataType, Any]:
    """Return the pandas types with a mask of their own, where the column had one, or needs one to hold its nulls."""
    import pandas as pd

    masked = isinstance(dtype, pd.api.extensions.ExtensionDtype) and hasattr(dtype, "numpy_dtype")
    names = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)] if masked or has_nulls else []
    names += ["Float32", "Float64"] if masked else []
    types = {pa.from_numpy_dtype(name.lower()): pd.api.types.pandas_dtype(name) for name in names}
    return types | ({pa.bool_(): pd.BooleanDtype()} if names else {})
