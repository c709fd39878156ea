from __future__ import annotations

import traceback
from typing import Any

import pytest

from cape_airflow.datasets.sql.failures import sql_attempt, sql_attempt_each
from cape_airflow.errors import DatasetError

SECRET = "078-05-1120"


class _Refused(Exception):
    """As drivers raise them: with values in the message and the details."""

    sqlstate: str | None = "22001"
    details = (
        (b"PG_DIAG_CONTEXT", f'COPY pay, line 3, column ssn: "{SECRET}"'.encode()),
        ("PG_DIAG_CONSTRAINT_NAME", b"short"),
        ("PG_DIAG_MESSAGE_DETAIL", f"Key (ssn)=({SECRET})".encode()),
    )


def _fails(error: Exception) -> Any:
    raise error


def _shown(failure: pytest.ExceptionInfo[DatasetError]) -> str:
    return "".join(traceback.format_exception(failure.value))


def test_a_failure_names_the_state_the_column_and_the_constraint_and_no_value() -> None:
    with pytest.raises(DatasetError) as failure:
        sql_attempt(lambda: _fails(_Refused(SECRET)), "write pay", ["ssn"])
    assert str(failure.value) == (
        "cannot write pay: a text is longer than its column takes (SQLSTATE 22001), column `ssn`, constraint `short`"
    )
    assert SECRET not in _shown(failure)


def test_what_looks_like_a_column_and_is_none_is_not_shown() -> None:
    with pytest.raises(DatasetError) as failure:
        sql_attempt(lambda: _fails(_Refused(SECRET)), "write pay", ["other"])
    assert "ssn" not in _shown(failure).replace("ssn = ", "")


@pytest.mark.parametrize(("state", "said"), [("57P01", "the server stopped it"), ("XX000", "the database refused it")])
def test_every_state_is_told(monkeypatch: pytest.MonkeyPatch, state: str, said: str) -> None:
    monkeypatch.setattr(_Refused, "sqlstate", state)
    with pytest.raises(DatasetError, match=rf"{said} \(SQLSTATE {state}\)"):
        sql_attempt(lambda: _fails(_Refused(SECRET)), "read pay")


def test_without_a_state_only_the_class_of_the_error_is_told() -> None:
    with pytest.raises(DatasetError, match=r"\(RuntimeError\)") as failure:
        sql_attempt(lambda: _fails(RuntimeError(SECRET)), "read pay")
    assert SECRET not in _shown(failure)


def test_a_failure_between_items_is_told_in_the_same_way() -> None:
    def items() -> Any:
        yield 1
        raise _Refused(SECRET)

    found = sql_attempt_each(items(), "read pay")
    assert next(found) == 1
    with pytest.raises(DatasetError, match="22001"):
        next(found)
