from __future__ import annotations

import traceback
from types import SimpleNamespace

import pytest

from cape_airflow.errors import NotApproved
from cape_airflow.hooks.given import given, naming_unknown, refuse_vanished


def test_what_a_dag_gives_is_all_that_is_not_none_be_it_empty() -> None:
    assert given(project="pay", policy_digest="", key_file=None) == ("project", "policy_digest")


@pytest.mark.parametrize("value", [None, "", 0, 7, ["a"], b"a"])
def test_an_argument_that_came_to_nothing_or_to_no_text_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(NotApproved, match="pin was given, but"):
        refuse_vanished(SimpleNamespace(project="pay", pin=value), ("project", "pin"))


def test_an_argument_that_was_never_given_may_be_absent() -> None:
    refuse_vanished(SimpleNamespace(project="pay", pin=None), ("project",))


def test_an_argument_that_no_task_takes_is_refused_by_its_name_and_its_value_is_not_shown() -> None:
    given_arguments = {"task_id": "t", "key": "canary"}
    with pytest.raises(TypeError, match="invalid arguments: key") as refusal, naming_unknown(given_arguments):
        raise TypeError(f"Invalid arguments were: {given_arguments}")
    assert "canary" not in "".join(traceback.format_exception(refusal.value))


def test_another_type_error_is_what_it_was() -> None:
    with pytest.raises(TypeError, match="missing task_id"), naming_unknown({"retries": 1}):
        raise TypeError("missing task_id")
