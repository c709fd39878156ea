from __future__ import annotations

from typing import Any

import pytest

from cape_airflow.coordinator.pages.drafting import ColumnDraft, Draft
from cape_airflow.coordinator.pages.editor import OFFERED, outcome_of
from cape_airflow.transformations import techniques

PATH = "/projects/customers/editor"
EMAIL = {"c0.name": "email", "c0.do": "keyed-hash", "c0.p.key": "customers"}


def send(project: Any, path: str = PATH, **form: str) -> Any:
    headers = {"Authorization": f"Bearer {project.contributor}"}
    return project.deployment.http.post(path, data=form, headers=headers, follow_redirects=False)


def test_it_begins_with_the_policy_in_force(project: Any, policy_text: str) -> None:
    project.approved(policy_text)
    page = project.deployment.ask("GET", PATH, project.contributor).text
    assert 'name="c0.name" value="email"' in page
    assert '<option value="suppress-attribute" selected>' in page


def test_it_says_where_the_policy_in_force_says_more_than_it_can_show(project: Any, policy_text: str) -> None:
    project.approved(policy_text.replace("name: email", "pattern: '*mail'"))
    assert "more than this form can show" in project.deployment.ask("GET", PATH, project.contributor).text


def test_columns_of_the_last_job_are_there_to_be_decided_on(project: Any, policy_text: str) -> None:
    digest = project.approved(policy_text)["digest"]
    start = project.job(digest)
    path = f"{project.path}/jobs/{start['job_id']}"
    project.deployment.done("PUT", path, project.worker, start)
    columns = [{"name": "iban", "techniques": [], "decision": "kept", "values": 9}]
    finish = {"state": "succeeded", "progress": {}, "columns": columns, "finished_at": "2026-11-21T12:00:09Z"}
    project.deployment.done("POST", f"{path}/finish", project.worker, finish)
    page = project.deployment.ask("GET", PATH, project.contributor).text
    assert 'value="iban"' in page
    assert "Not decided yet" in page


def test_a_change_shows_the_text_and_the_effect_and_keeps_nothing(project: Any) -> None:
    answer = send(project, **EMAIL, add="phone,iban")
    assert answer.status_code == 200
    assert "transform: {type: keyed-hash, key: {ref: customers}}" in answer.text
    assert "Pseudonym" in answer.text
    assert 'name="c2.name" value="iban"' in answer.text
    assert project.deployment.done("GET", f"{project.path}/suggestions", project.owner)["items"] == []


def test_what_it_shows_is_what_is_suggested(project: Any) -> None:
    answer = send(project, f"{PATH}/suggest", **EMAIL, title="Mine", description="why")
    assert answer.status_code == 303
    made = project.deployment.done("GET", f"/v1{answer.headers['location']}", project.owner)
    assert "type: keyed-hash, key: {ref: customers}" in made["policy"]
    assert (made["title"], made["description"]) == ("Mine", "why")


def test_a_suggestion_needs_a_title_and_loses_nothing_without_it(project: Any) -> None:
    answer = send(project, f"{PATH}/suggest", **EMAIL, description="why not")
    assert answer.status_code == 422
    assert "Say in one line what changes" in answer.text
    assert "why not" in answer.text


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (ColumnDraft("age", "round", given={"precision": "few"}), "precision"),
        (ColumnDraft("age", "keyed-hash", given={}), "needs the parameter `key`"),
        (ColumnDraft("age", "no-such-thing"), "no-such-thing"),
        (ColumnDraft("age", "keep", ""), "reason"),
    ],
)
def test_what_is_missing_is_said_in_the_words_of_the_policy(column: ColumnDraft, complaint: str) -> None:
    assert complaint in outcome_of(Draft(columns=(column,))).wrong


def test_techniques_that_turn_tokens_back_or_have_a_successor_are_not_offered() -> None:
    offered = {name for offers in OFFERED.values() for name, _ in offers}
    assert offered == {
        "keyed-hash",
        "deterministic-encryption",
        "format-preserving-encryption",
        "character-mask",
        "suppress-value",
        "suppress-attribute",
        "round",
        "date-truncate",
        "add-noise",
    }
    assert offered < set(techniques())
