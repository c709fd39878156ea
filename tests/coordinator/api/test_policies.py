from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def fetch(project: Any) -> Any:
    def get(known: str | None = None, path: str = "/policy") -> Any:
        headers = {"If-None-Match": known} if known is not None else {}
        return project.deployment.ask("GET", project.path + path, project.worker, headers=headers)

    return get


def test_a_project_without_an_approved_policy_says_so(fetch: Any) -> None:
    answer = fetch()
    assert (answer.status_code, answer.json()["code"]) == (404, "no-approved-policy")


def test_a_policy_that_is_known_is_not_sent_again(project: Any, fetch: Any) -> None:
    suggestion = project.approved()
    tag = fetch().headers["etag"]
    assert tag == f'"{suggestion["digest"]}.{suggestion["id"]}"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', f"{tag},"):
        answer = fetch(known)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize("known", ['"other"', "", "*x", '"'])
def test_a_policy_that_is_not_known_is_sent(project: Any, fetch: Any, known: str) -> None:
    project.approved()
    assert fetch(known).status_code == 200


def test_a_new_approval_of_the_same_digest_is_news(project: Any, fetch: Any) -> None:
    project.approved()
    tag = fetch().headers["etag"]
    project.approved()
    assert fetch(tag).status_code == 200


@pytest.mark.parametrize("digest", ["0" * 64, "x", "%2e%2e"])
def test_a_digest_that_was_never_approved_is_missing(project: Any, fetch: Any, digest: str) -> None:
    project.approved()
    assert fetch(path=f"/policies/{digest}").status_code == 404


def test_a_policy_may_be_cached_by_the_client_but_by_nobody_between(project: Any, fetch: Any) -> None:
    project.approved()
    assert fetch().headers["cache-control"] == "private, no-cache"
