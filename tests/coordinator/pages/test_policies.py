from __future__ import annotations

import re
from typing import Any

PATH = "/projects/customers"


def get(project: Any, path: str, who: str = "reader") -> str:
    answer = project.deployment.ask("GET", PATH + path, getattr(project, who))
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_a_project_without_a_policy_says_so_and_what_to_do(project: Any) -> None:
    assert "no approved policy yet" in get(project, "/policy")
    assert "Make one in a form" not in get(project, "/policy")
    assert "Make one in a form" in get(project, "/policy", "contributor")


def test_the_policy_in_force_is_told_in_words_with_its_text_beside_it(project: Any, policy_text: str) -> None:
    approved = project.approved(policy_text + "  - match: {name: country}\n    keep: {reason: taxes}\n")
    page = get(project, "/policy")
    assert "Column suppression" in page
    assert "Because: taxes" in page
    assert 'id="line-5"' in page
    assert approved["digest"] in page


def test_earlier_policies_stay_and_are_compared_and_suggested_again(project: Any, policy_text: str) -> None:
    old = project.approved(policy_text)["digest"]
    new = project.approved(policy_text.replace("email", "phone"))["digest"]
    assert old[:12] in get(project, "/policies")
    assert "in force" in get(project, "/policies?limit=1")
    older = re.search(r'href="(\?after=\d+)"', get(project, "/policies?limit=1"))
    assert older is not None
    assert "in force" not in get(project, f"/policies{older[1]}")
    assert "This is an earlier policy" in get(project, f"/policies/{old}")
    assert "This is an earlier policy" not in get(project, f"/policies/{new}")
    compared = get(project, f"/policies/compare?before={old}&after={new}")
    assert "column email" in compared
    assert "column phone" in compared
    path = f"{PATH}/policies/{old}/suggest"
    headers = {"Authorization": f"Bearer {project.contributor}"}
    answer = project.deployment.http.post(path, headers=headers, follow_redirects=False)
    assert answer.status_code == 303
    assert project.deployment.done("GET", f"/v1{answer.headers['location']}", project.owner)["digest"] == old


def test_a_digest_that_was_never_approved_is_not_found(project: Any) -> None:
    assert project.deployment.ask("GET", f"{PATH}/policies/{'0' * 64}", project.reader).status_code == 404
