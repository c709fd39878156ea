from __future__ import annotations

from typing import Any

import pytest

PATH = "/projects/customers/suggestions"


def send(project: Any, **form: str) -> Any:
    headers = {"Authorization": f"Bearer {project.contributor}"}
    return project.deployment.http.post(PATH, data=form, headers=headers, follow_redirects=False)


def test_a_text_is_suggested_as_it_was_written(project: Any, policy_text: str) -> None:
    answer = send(project, title="mine", description="", policy=policy_text.replace("\n", "\r\n"))
    assert answer.status_code == 303
    suggestion = project.deployment.done("GET", f"/v1{answer.headers['location']}", project.owner)
    assert (suggestion["title"], suggestion["policy"]) == ("mine", policy_text)


def test_what_is_wrong_with_a_text_stands_beside_it_and_nothing_is_lost(project: Any) -> None:
    answer = send(project, title="mine", description="for <Ada>", policy="rules: 3")
    assert answer.status_code == 422
    assert "`rules` is a list" in answer.text
    assert 'value="mine"' in answer.text
    assert "for &lt;Ada&gt;" in answer.text


def test_a_new_one_begins_with_the_policy_in_force(project: Any, policy_text: str) -> None:
    project.approved(policy_text)
    page = project.deployment.ask("GET", f"{PATH}/new", project.contributor).text
    assert "match: {name: email}" in page


@pytest.mark.parametrize(("query", "count"), [("", 2), ("?state=", 2), ("?state=open", 1), ("?state=rejected", 0)])
def test_suggestions_are_found_by_their_state(project: Any, policy_text: str, query: str, count: int) -> None:
    project.approved(policy_text)
    project.suggest(policy_text.replace("email", "phone"))
    page = project.deployment.ask("GET", PATH + query, project.reader).text
    assert page.count('<th scope="row">') == count


def test_the_rest_of_a_long_list_is_a_link_away_with_its_filter(project: Any, policy_text: str) -> None:
    for _ in range(3):
        project.suggest(policy_text)
    page = project.deployment.ask("GET", f"{PATH}?limit=2&state=open", project.reader).text
    assert page.count('<th scope="row">') == 2
    assert "?state=open&amp;after=" in page
