"""Errors on their way from executors to the user."""

from __future__ import annotations

import traceback

import pytest
from pyspark.errors import AnalysisException, PythonException

from cape_airflow.engines.spark.failures import own_errors
from cape_airflow.errors import CapeError, DataError, KeyUnavailable, ValueRefused

TRACE = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "shipment.py", line 1, in de_identified
    raise failure
cape_airflow.errors.{words}
 SQLSTATE: 38000
\tat org.apache.spark.api.python.BasePythonRunner
"""


@pytest.mark.parametrize("kind", [ValueRefused, DataError, KeyUnavailable])
def test_what_a_kernel_raised_on_an_executor_is_raised_here(kind) -> None:
    told = "rules[0]: column `n`, `round`: 2 values refused"
    with pytest.raises(kind) as caught, own_errors():
        raise PythonException(TRACE.format(words=f"{kind.__name__}: {told}"))
    assert str(caught.value) == told
    assert type(caught.value) is kind


@pytest.mark.parametrize("words", ["Location: x", "nothing", "PolicyError: rule", "CapeError: x"])
def test_nothing_else_in_a_message_is_taken_for_our_error(words) -> None:
    with pytest.raises(DataError, match="PythonException") as caught, own_errors():
        raise PythonException(TRACE.format(words=words))
    assert type(caught.value) is DataError


def test_other_errors_of_spark_come_without_their_words() -> None:
    with pytest.raises(DataError) as caught, own_errors():
        raise PythonException("secret-value cannot be cast")
    assert "secret-value" not in "".join(traceback.format_exception(caught.value))


def test_errors_of_analysis_and_our_own_pass_as_they_are() -> None:
    for error in (AnalysisException("no such path"), CapeError("ours"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, own_errors():
            raise error
        assert caught.value is error
