"""Errors on their way from executors to the user: ours come back as they were raised, others without their words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import AnalysisException, PySparkException

from cape_airflow import errors
from cape_airflow.errors import CapeError, DataError

_OURS = re.compile(rf"\b{re.escape(errors.__name__)}\.([A-Z]\w+): (.*)")


@contextmanager
def own_errors() -> Iterator[None]:
    """Run an action of Spark, and raise what is the matter as our errors.

    Raises:
        CapeError: what a kernel on an executor raised.
        DataError: the job failed in another way; Spark's words are left out, for they may quote values.
        AnalysisException: as it is, for Spark raises it before it reads a row.
    """
    try:
        yield
    except AnalysisException:
        raise
    except PySparkException as error:
        raise _translated(error) from None  # so that nobody prints Spark's error below ours


def _translated(error: PySparkException) -> CapeError:
    for name, words in reversed(_OURS.findall(str(error))):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, DataError | errors.KeyUnavailable):
            return kind(words.strip())
    condition = error.getCondition() or type(error).__name__
    return DataError(f"Spark failed ({condition}); its message is not shown, since it may hold values: see Spark's log")
