"""Errors of libraries, told without their words."""

from __future__ import annotations

import errno

import pyarrow as pa
import pytest

from cape_airflow.datasets.failures import attempt, attempt_each
from cape_airflow.errors import DatasetError, KeyUnavailable


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "S3CRET"), "cannot write x: No space left on device"),
        (FileNotFoundError("S3CRET"), "cannot write x: no such file"),
        (FileNotFoundError("S3CRET %s", "S3CRET"), "cannot write x: no such file"),  # as fsspec does
        (PermissionError("S3CRET"), "cannot write x: permission denied"),
        (pa.ArrowInvalid("In CSV column #1: invalid value 'S3CRET'"), "column `b`: values do not fit"),
        (pa.ArrowInvalid("In CSV column #7: invalid value 'S3CRET'"), "broken, or not of this format"),
        (
            pa.ArrowInvalid("JSON parse error: Column(/S3CRET) changed from number to string in row 0"),
            "type string instead",
        ),
        (pa.ArrowInvalid("straddling object straddles two block boundaries"), "a row is longer than a block"),
        (UnicodeDecodeError("utf-8", b"S3CRET", 0, 1, "S3CRET"), "not of this format .UnicodeDecodeError."),
        (KeyError("S3CRET"), "cannot write x: KeyError"),
        (DatasetError("why"), "cannot write x: why"),
    ],
)
def test_a_failure_says_what_and_why_but_no_value(refused, error: Exception, words: str) -> None:
    with refused(words):
        attempt(lambda: fail(error), "write x", ["a", "b"])


@pytest.mark.parametrize("error", [KeyUnavailable("no key"), KeyboardInterrupt()])
def test_what_is_no_failure_of_the_dataset_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        attempt(lambda: fail(error), "write x")
    assert caught.value is error


def test_items_pass_until_one_fails(refused) -> None:
    items = attempt_each(map(int, ["1", "S3CRET"]), "read x")
    assert next(items) == 1
    with refused("cannot read x"):
        next(items)
