from __future__ import annotations

import traceback

import pytest

from cape_airflow import errors
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.hooks.failure import passing, refused, task_failure, unexpected


@pytest.mark.parametrize("error", [errors.CoordinatorUnavailable("down"), errors.DatasetError("no such bucket")])
def test_what_may_pass_is_tried_again(error: errors.CapeError) -> None:
    assert type(task_failure(error)) is AirflowException


@pytest.mark.parametrize(
    "error",
    [
        errors.PolicyError("rule 1"),
        errors.SchemaMismatch("no column"),
        errors.ValueRefused("3 values"),
        errors.KeyUnavailable("no key"),
        errors.NotApproved("not yet"),
        errors.CoordinatorRefused("no", 403),
        errors.CoordinatorProtocolError("HTML"),
        errors.MissingExtra("s3fs", "s3"),
    ],
)
def test_what_stays_wrong_until_somebody_mends_it_is_not_tried_again(error: errors.CapeError) -> None:
    failure = task_failure(error)
    assert isinstance(failure, AirflowFailException)
    assert str(failure) == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_coordinators_own_no_ends_a_wait(status: int) -> None:
    error = errors.CoordinatorRefused("no", status, "not-found")
    assert refused(error) == "not-found"
    assert not passing(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.CoordinatorUnavailable("down"),
        errors.CoordinatorProtocolError("a redirect"),
        errors.CoordinatorRefused("the page of a proxy", 404),
        errors.CoordinatorRefused("too early", 425, "too-early"),
    ],
)
def test_what_somebody_else_answers_in_place_of_the_coordinator_does_not(error: errors.CapeError) -> None:
    assert refused(error) == ""
    assert passing(error)


@pytest.mark.parametrize("error", [errors.NotApproved("a bad signature"), errors.CoordinatorError("no API token")])
def test_what_nobody_but_us_can_mend_does_not_pass_in_a_task(error: errors.CapeError) -> None:
    assert not passing(error)


def _fails_with(value: str) -> None:
    raise KeyError(value)


def _task() -> None:
    try:
        _fails_with("-".join(["123", "45", "6789"]))
    except KeyError as error:
        raise unexpected(error) from None


def test_an_unexpected_error_is_shown_by_class_and_place_only() -> None:
    with pytest.raises(AirflowException) as raised:
        _task()
    shown = "".join(traceback.format_exception(raised.value))
    assert f"KeyError at {__file__}:" in shown
    assert "123-45-6789" not in shown
