"""The kinds of frames: how each becomes Arrow, and how the rows that are left become that kind again."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
        """Return a frame of the rows that are left: kept columns as they were, the others from `output`."""


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
        """Return the frame as Arrow."""
        return self._frame.to_arrow()

    def rebuilt(self, plan: Plan, output: pa.Table, survivors: pa.Array | None) -> Any:
        """Return a frame of the rows that are left."""
        import polars as pl

        left = self._frame.select(output.column_names)
        if survivors is not None:
            left = left[survivors.to_numpy()]
        return left.with_columns(pl.Series(name, pl.from_arrow(output.column(name))) for name in _transformed(plan))


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
        columns = [_from_pandas(name, self._frame.iloc[:, place]) for place, name in enumerate(self._names)]
        return pa.table(columns, names=self._names)

    def rebuilt(self, plan: Plan, output: pa.Table, survivors: pa.Array | None) -> Any:
        """Return a frame of the rows that are left."""
        places = [self._names.index(name) for name in output.column_names]
        rows = slice(None) if survivors is None else survivors.to_numpy()
        frame = self._frame.iloc[rows, places].copy()
        for name in _transformed(plan):
            place = output.column_names.index(name)
            original = self._frame.iloc[:, self._names.index(name)]
            series = _to_pandas(output.column(name), original.dtype)
            frame.isetitem(place, series.set_axis(frame.index))  # a bare array would lose its dtype
        return frame if survivors is None else _without_unused_categories(frame)


def _from_pandas(name: str, series: Any) -> pa.Array | pa.ChunkedArray:
    try:
        column = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError):
        failure = SchemaMismatch(
            f"column `{name}` ({series.dtype}) holds values of several types, or of one that Arrow does not know; "
            "convert it to one type first"
        )
    else:
        return column.cast(pa.string()) if pa.types.is_null(column.type) else column
    raise failure


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
