from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture
def post(deployment: Any) -> Any:
    """Make a token under an Idempotency-Key."""

    def send(key: str, description: str = "mine", token: str | None = None, path: str = "/v1/tokens") -> Any:
        body = {"description": description}
        return deployment.ask("POST", path, token or deployment.admin, body, headers={"Idempotency-Key": key})

    return send


def test_B5_the_same_key_and_body_give_the_same_answer_and_one_effect(deployment: Any, post: Any) -> None:
    first, second = post("k1"), post("k1")
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert len(deployment.rows("SELECT * FROM tokens WHERE description = 'mine'")) == 1
    assert deployment.ask("GET", "/v1/me", second.json()["token"]).is_success


def test_the_same_key_with_another_body_or_path_is_refused(deployment: Any, post: Any) -> None:
    post("k1")
    for refused in (post("k1", "other"), post("k1", path="/v1/projects")):
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency-mismatch")
    assert deployment.rows("SELECT * FROM tokens WHERE description = 'other'") == []


def test_other_keys_and_other_callers_get_answers_of_their_own(deployment: Any, project: Any, post: Any) -> None:
    ids = {post("k1").json()["id"], post("k2").json()["id"], post("k1", token=project.reader).json()["id"]}
    assert len(ids) == 3


def test_a_refusal_is_not_remembered(deployment: Any, project: Any, policy_text: str) -> None:
    def create() -> Any:
        body = {"title": "t", "policy": policy_text}
        headers = {"Idempotency-Key": "k"}
        return deployment.ask("POST", f"{project.path}/suggestions", project.reader, body, headers=headers)

    assert create().status_code == 403
    deployment.join("customers", "customers-reader", "project-contributor")
    assert create().status_code == 201


def test_who_lost_his_role_does_not_get_the_old_answer(deployment: Any, project: Any) -> None:
    def create() -> Any:
        headers = {"Idempotency-Key": "k"}
        return deployment.ask("POST", f"{project.path}/keys", project.owner, {"name": "a"}, headers=headers)

    assert create().status_code == 201
    deployment.join("customers", "customers-owner", "project-reader")
    assert create().status_code == 403


def test_posts_with_one_key_at_the_same_moment_have_one_effect(deployment: Any, post: Any) -> None:
    with deployment.http, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post("k1"), range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(deployment.rows("SELECT * FROM tokens WHERE description = 'mine'")) == 1


def test_answers_are_forgotten_after_a_day(deployment: Any, post: Any) -> None:
    first = post("k1").json()["id"]
    deployment.clock.turn(hours=23)
    assert post("k1").json()["id"] == first
    deployment.clock.turn(hours=2)
    assert post("k1").json()["id"] != first
    assert len(deployment.rows("SELECT * FROM replays")) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
def test_a_key_that_is_none_is_refused(post: Any, key: str) -> None:
    assert post(key).status_code == 400
