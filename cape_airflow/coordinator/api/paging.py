"""Lists in pages: ``?limit=`` up to 200, ``?after=`` the cursor that the page before ended with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.api.shapes import Answer
from cape_airflow.coordinator.store.models import Base

_PAGE_BYTES = 2 * 1024 * 1024
_FETCHED = 20

Row = TypeVar("Row", bound=Base)
Item = TypeVar("Item", bound=BaseModel)


class Cursor(BaseModel):
    """Which page of a list is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None


Paging = Annotated[Cursor, Query()]


class Page(Answer, Generic[Item]):
    """One page; `next` is the cursor of the page after it, null at the end."""

    items: list[Item]
    next: str | None


def page(
    session: Session,
    query: Select[Row],
    table: type[Row],
    cursor: Cursor,
    show: Callable[[Row], Item],
    *,
    newest_first: bool = False,
) -> Page[Item]:
    """Return the page of `query` that the cursor asks for, in the order in which rows were made.

    It ends before its limit where it would grow beyond 2 MB.
    """
    if cursor.after is not None:
        after = int(cursor.after)
        query = query.where(table.seq < after if newest_first else table.seq > after)
    query = query.order_by(table.seq.desc() if newest_first else table.seq).limit(cursor.limit + 1)
    items: list[Item] = []
    size = last = 0
    # Closed also where a row is refused: on PostgreSQL it is a cursor.
    with session.scalars(query.execution_options(yield_per=_FETCHED)) as rows:
        for row in rows:
            item = show(row)
            size += len(item.model_dump_json())
            if len(items) == cursor.limit or (items and size > _PAGE_BYTES):
                return Page(items=items, next=str(last))
            items.append(item)
            last = row.seq
    return Page(items=items, next=None)
