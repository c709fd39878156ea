from __future__ import annotations

from types import SimpleNamespace

import pytest

from cape_airflow.errors import NotApproved
from cape_airflow.hooks.given import given, refuse_vanished


def test_what_a_dag_gives_is_all_that_is_not_none_be_it_empty() -> None:
    assert given(project="pay", policy_digest="", key_file=None) == ("project", "policy_digest")


@pytest.mark.parametrize("value", [None, "", 0, 7, ["a"], b"a"])
def test_an_argument_that_came_to_nothing_or_to_no_text_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(NotApproved, match="pin was given, but"):
        refuse_vanished(SimpleNamespace(project="pay", pin=value), ("project", "pin"))


def test_an_argument_that_was_never_given_may_be_absent() -> None:
    refuse_vanished(SimpleNamespace(project="pay", pin=None), ("project",))
