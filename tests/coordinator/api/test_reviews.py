"""Quorum, revisions, rebase, emergencies, expiry: over HTTP, and what workers then get."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text as sql

from cape_airflow.policy import load_policy


def other(policy: str, column: str = "phone") -> str:
    return policy.replace("email", column)


@pytest.fixture
def act(project: Any) -> Any:
    """Do something to a suggestion, and return the response."""

    def act(suggestion: Any, verb: str, token: str, **body: Any) -> Any:
        path = f"{project.path}/suggestions/{suggestion['id']}"
        if verb == "edit":
            return project.deployment.ask("PATCH", path, token, body)
        return project.deployment.ask("POST", f"{path}/{verb}", token, body or None)

    return act


@pytest.fixture
def auditor(project: Any) -> str:
    return str(project.deployment.user("auditor", role="auditor"))


@pytest.fixture
def two_of_us(project: Any) -> None:
    """One owner and one auditor must approve."""
    rule = {"quorum": {"project-owner": 1, "auditor": 1}}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)


def policy_of(project: Any) -> Any:
    answer = project.deployment.ask("GET", f"{project.path}/policy", project.worker)
    return answer.json() if answer.is_success else None


@pytest.mark.usefixtures("two_of_us")
def test_a_quorum_of_owner_and_auditor_needs_both(project: Any, auditor: str) -> None:
    suggestion = project.suggest()
    first = project.review(suggestion, "approve").json()
    assert (first["state"], first["reviews"][0]["role"]) == ("open", "project-owner")
    again = project.review(suggestion, "approve", project.deployment.admin).json()
    assert again["state"] == "open", "two owners are no auditor"
    assert policy_of(project) is None
    assert project.review(suggestion, "approve", auditor).json()["state"] == "approved"
    assert policy_of(project)["digest"] == suggestion["digest"]


def test_an_auditor_whom_the_rule_does_not_name_has_no_say(project: Any, auditor: str) -> None:
    for verdict in ("approve", "reject", "request-changes"):
        assert project.review(project.suggest(), verdict, auditor).status_code == 403


@pytest.mark.usefixtures("two_of_us")
def test_D9_an_approval_by_somebody_who_lost_the_role_since_does_not_count(project: Any, auditor: str) -> None:
    suggestion = project.suggest()
    assert project.review(suggestion, "approve").is_success
    path = f"{project.path}/contributors/customers-owner@example.com"
    project.deployment.done("DELETE", path, project.deployment.admin)
    assert project.review(suggestion, "approve", auditor).json()["state"] == "open"
    assert project.review(suggestion, "approve", project.deployment.admin).json()["state"] == "approved"


def test_an_owner_makes_the_rule_stricter_and_only_an_admin_looser(project: Any) -> None:
    path, admin = f"{project.path}/review-rule", project.deployment.admin
    strict = {"quorum": {"project-owner": 2}, "valid_days": 30}
    assert project.deployment.done("PUT", path, project.owner, strict)["valid_days"] == 30
    for looser in ({"quorum": {"project-owner": 1}, "valid_days": 30}, {"quorum": {"project-owner": 2}}):
        refused = project.deployment.ask("PUT", path, project.owner, looser)
        assert (refused.status_code, refused.json()["code"]) == (403, "looser-rule")
    assert project.deployment.done("PUT", path, admin, {"quorum": {"auditor": 1}})["quorum"] == {"auditor": 1}
    assert project.deployment.done("GET", path, project.reader) == {"quorum": {"auditor": 1}, "valid_days": None}


@pytest.mark.parametrize("quorum", [{}, {"project-owner": 0}, {"project-owner": 99}, {"worker": 1}])
def test_a_rule_that_nobody_or_the_wrong_people_can_fulfil_is_refused(project: Any, quorum: Any) -> None:
    answer = project.deployment.ask("PUT", f"{project.path}/review-rule", project.owner, {"quorum": quorum})
    assert answer.status_code == 422


def test_D3_an_edit_clears_approvals_and_its_editor_cannot_approve(project: Any, act: Any, policy_text: str) -> None:
    rule = {"quorum": {"project-owner": 2}}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)
    suggestion = project.suggest()
    assert project.review(suggestion, "approve").json()["state"] == "open"
    edited = act(suggestion, "edit", project.contributor, revision=1, policy=other(policy_text)).json()
    assert (edited["revision"], edited["digest"]) == (2, load_policy(other(policy_text)).digest)
    assert project.review(edited, "approve", project.deployment.admin).json()["state"] == "open"
    assert project.review(edited, "approve").json()["state"] == "approved"

    second = project.suggest()
    mine = act(second, "edit", project.owner, revision=1, title="better").json()
    assert mine["editors"] == ["customers-contributor@example.com", "customers-owner@example.com"]
    assert project.review(mine, "approve").json()["code"] == "own-suggestion"


def test_an_edit_of_an_old_page_is_refused(project: Any, act: Any) -> None:
    suggestion = project.suggest()
    assert act(suggestion, "edit", project.contributor, revision=1, title="second").is_success
    assert act(suggestion, "edit", project.owner, revision=1, title="third").json()["code"] == "revision-mismatch"
    assert project.review(suggestion, "approve", revision=1).json()["code"] == "revision-mismatch"


def test_requested_changes_keep_it_from_approval_until_the_next_edit(project: Any, act: Any) -> None:
    suggestion = project.suggest()
    assert project.review(suggestion, "request-changes").json()["state"] == "changes-requested"
    assert project.review(suggestion, "approve").json()["code"] == "not-open"
    edited = act(suggestion, "edit", project.contributor, revision=1, description="as you asked").json()
    assert edited["state"] == "open"
    assert project.review(edited, "approve").json()["state"] == "approved"


def test_another_approval_moves_the_base_and_a_rebase_brings_it_back(project: Any, act: Any, policy_text: str) -> None:
    waiting = project.suggest()
    current = project.approved(other(policy_text))
    refused = project.review(waiting, "approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "base-moved")
    rebased = act(waiting, "rebase", project.contributor, revision=1).json()
    assert (rebased["base"], rebased["revision"]) == (current["digest"], 2)
    assert project.review(rebased, "approve").json()["state"] == "approved"
    old = project.deployment.done("GET", f"{project.path}/suggestions/{current['id']}", project.worker)
    assert old["state"] == "superseded"


def test_a_base_that_was_never_approved_is_refused(project: Any) -> None:
    body = {"title": "x", "policy": "version: 2\nrules: []\n", "base": "0" * 64}
    refused = project.deployment.ask("POST", f"{project.path}/suggestions", project.contributor, body)
    assert refused.json()["code"] in ("unknown-base", "invalid-policy")


def test_a_contributor_withdraws_his_own_only(project: Any, act: Any, policy_text: str) -> None:
    body = {"title": "mine", "policy": policy_text}
    of_owner = project.deployment.done("POST", f"{project.path}/suggestions", project.owner, body)
    assert act(of_owner, "withdraw", project.contributor).json()["code"] == "not-the-author"
    assert act(project.suggest(), "withdraw", project.contributor).json()["state"] == "withdrawn"


def test_a_comment_is_on_a_line_of_a_revision(project: Any, act: Any) -> None:
    suggestion = project.suggest()
    [said] = act(suggestion, "comments", project.owner, text="why drop?", line=6).json()["comments"]
    assert (said["line"], said["revision"]) == (6, 1)
    assert act(suggestion, "comments", project.owner, text="?", line=7).status_code == 422


def test_all_revisions_stay_and_any_two_versions_are_compared(project: Any, act: Any, policy_text: str) -> None:
    suggestion = project.suggest()
    act(suggestion, "edit", project.contributor, revision=1, policy=other(policy_text))
    path = f"{project.path}/suggestions/{suggestion['id']}"
    kept = project.deployment.done("GET", f"{path}/revisions", project.reader)["items"]
    assert [row["policy"] for row in kept] == [policy_text, other(policy_text)]
    found = project.deployment.done(
        "GET", f"{project.path}/diff?before={suggestion['id']}.1&after={suggestion['id']}", project.reader
    )
    assert [(line["kind"], line["text"].strip()) for line in found["lines"] if line["kind"] != "same"] == [
        ("removed", "- match: {name: email}"),
        ("added", "- match: {name: phone}"),
    ]
    changed = {each["what"] for each in found["effects"] if each["before"] != each["after"]}
    assert changed == {"column email", "column phone"}


def test_an_old_policy_is_suggested_again(project: Any, policy_text: str) -> None:
    first = project.approved()
    project.approved(other(policy_text))
    path = f"{project.path}/policies/{first['digest']}/suggest"
    again = project.deployment.done("POST", path, project.contributor, {})
    assert (again["policy"], again["title"], again["state"]) == (policy_text, "Again: first", "open")
    assert project.review(again, "approve").is_success
    listed = project.deployment.done("GET", f"{project.path}/policies", project.worker)["items"]
    assert [row["digest"] for row in listed[::2]] == [first["digest"], first["digest"]]


def test_a_broken_glass_ends_by_itself_and_is_confirmed_by_others(project: Any, act: Any, auditor: str) -> None:
    suggestion = project.suggest()
    assert act(suggestion, "break-glass", project.owner, digest=suggestion["digest"], reason="fire").is_success
    emergency = policy_of(project)
    assert emergency["approval"]["break_glass"] is True
    assert "expires_at" in emergency["approval"]
    body = {"digest": suggestion["digest"], "verdict": "confirm"}
    assert act(suggestion, "after-review", project.owner, **body).json()["code"] == "own-break-glass"
    assert act(suggestion, "after-review", auditor, **body).status_code == 403
    confirmed = act(suggestion, "after-review", project.deployment.admin, **body)
    assert (confirmed.json()["state"], confirmed.json()["reviewed_by"]) == ("approved", "admin@example.com")
    assert {"break_glass", "expires_at"} & set(policy_of(project)["approval"]) == set()
    assert act(suggestion, "after-review", project.deployment.admin, **body).json()["code"] == "no-after-review"


def test_the_answer_for_a_confirmed_policy_is_news_to_who_knows_the_emergency(project: Any, act: Any) -> None:
    suggestion = project.suggest()
    digest = {"digest": suggestion["digest"]}
    act(suggestion, "break-glass", project.owner, **digest, reason="fire")
    known = project.deployment.ask("GET", f"{project.path}/policy", project.worker).headers["etag"]
    act(suggestion, "after-review", project.deployment.admin, **digest, verdict="confirm")
    headers = {"If-None-Match": known}
    assert project.deployment.ask("GET", f"{project.path}/policy", project.worker, headers=headers).status_code == 200


def test_an_objection_takes_it_out_of_force_and_what_was_before_counts_again(
    project: Any, act: Any, policy_text: str
) -> None:
    before = project.approved(other(policy_text))
    suggestion = project.suggest()
    digest = {"digest": suggestion["digest"]}
    act(suggestion, "break-glass", project.owner, **digest, reason="fire")
    assert act(suggestion, "after-review", project.deployment.admin, **digest, verdict="object").status_code == 422
    objected = act(
        suggestion, "after-review", project.deployment.admin, **digest, verdict="object", comment="keeps email"
    )
    assert objected.json()["state"] == "rejected"
    assert policy_of(project)["digest"] == before["digest"]
    old = project.deployment.done("GET", f"{project.path}/suggestions/{before['id']}", project.worker)
    assert old["state"] == "approved"
    gone = project.deployment.ask("GET", f"{project.path}/policies/{suggestion['digest']}", project.worker)
    assert gone.json()["code"] == "no-approved-policy"


def test_an_approval_carries_its_end_and_a_worker_is_told(project: Any) -> None:
    rule = {"quorum": {"project-owner": 1}, "valid_days": 30}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)
    approved = project.approved()
    end = policy_of(project)["approval"]["expires_at"]
    assert end > approved["reviewed_at"]
    [listed] = project.deployment.done("GET", f"{project.path}/policies", project.worker)["items"]
    assert listed["expires_at"] == end


def test_what_a_reviewer_needs_is_in_one_answer(project: Any, act: Any, policy_text: str, examples: Any) -> None:
    base = project.approved()
    suggestion = project.suggest(other(policy_text))
    report = {
        "policy_digest": suggestion["digest"],
        "rows_in": 100,
        "rows_out": 100,
        "columns": [{"name": "phone", "input_type": "string", "decision": "dropped"}],
        "made_at": "2026-11-21T12:00:00Z",
    }
    assert act(suggestion, "dry-runs", project.worker, **report).status_code == 201
    path = f"{project.path}/suggestions/{suggestion['id']}/review"
    found = project.deployment.done("GET", path, project.owner)
    assert (found["comparison"]["before"], found["base_moved"]) == (base["digest"], False)
    effects = {each["what"]: each for each in found["comparison"]["effects"]}
    assert effects["column email"]["after"] is None
    assert effects["column phone"]["after"]["becomes"] == "dropped"
    assert any("no rule is about" in each["message"] for each in found["findings"])
    assert found["quorum"] == [{"role": "project-owner", "wanted": 1, "given": 0}]
    assert found["dry_run"]["reporter"] == "customers-worker@example.com"
    assert found["refusals"]["approve"] is None
    own = project.deployment.done("GET", path, project.contributor)
    assert own["refusals"]["approve"]["code"] == "own-suggestion"


@pytest.mark.parametrize("shape", ["Alice", "x9@é", "xx7", "x" * 41])
def test_a_dry_run_that_shows_a_value_is_refused(project: Any, act: Any, shape: str) -> None:
    suggestion = project.suggest()
    column = {"name": "a", "input_type": "string", "decision": "kept", "shapes_before": [{"shape": shape, "rows": 50}]}
    report = {"policy_digest": suggestion["digest"], "rows_in": 100, "rows_out": 100, "columns": [column]}
    refused = act(suggestion, "dry-runs", project.contributor, **report, made_at="2026-11-21T12:00:00Z")
    assert refused.status_code == 422
    assert shape not in refused.text


def test_a_dry_run_of_another_text_or_of_too_small_a_group_is_refused(project: Any, act: Any) -> None:
    suggestion = project.suggest()
    small = {"name": "a", "input_type": "string", "decision": "kept", "shapes_after": [{"shape": "xx", "rows": 9}]}
    for digest, columns, status in (("0" * 64, [], 409), (suggestion["digest"], [small], 422)):
        report = {"policy_digest": digest, "rows_in": 1, "rows_out": 1, "columns": columns}
        answer = act(suggestion, "dry-runs", project.worker, **report, made_at="2026-11-21T12:00:00Z")
        assert answer.status_code == status


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reviews SET revision = 1",
        "UPDATE reviews SET role = 'auditor'",
        "UPDATE revisions SET base_digest = NULL WHERE number = 1",
        "UPDATE revisions SET editor_seq = 2 WHERE number = 2",
        "DELETE FROM revisions WHERE number = 1",
        "DELETE FROM revisions WHERE number = 2",
    ],
)
def test_D4_what_decides_cannot_be_edited_in_the_database(
    project: Any, act: Any, policy_text: str, change: str
) -> None:
    project.approved(other(policy_text, "base"))
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, {"quorum": {"project-owner": 2}})
    suggestion = project.suggest()
    edited = act(suggestion, "edit", project.contributor, revision=1, policy=other(policy_text)).json()
    assert project.review(edited, "approve").is_success
    with project.deployment.app.state.coordinator.store.write() as session:
        where = " AND " if "WHERE" in change else " WHERE "
        table = change.split()[1 if change.startswith("UPDATE") else 2]
        newest = f"suggestion_seq = (SELECT max(suggestion_seq) FROM {table})"
        assert session.execute(sql(change + where + newest)).rowcount == 1
        session.commit()
    refused = project.review(edited, "approve", project.deployment.admin)
    assert (refused.status_code, refused.json()["code"]) == (403, "tampered")


def test_D4_a_rule_that_was_edited_in_the_database_is_refused(project: Any) -> None:
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, {"quorum": {"project-owner": 2}})
    with project.deployment.app.state.coordinator.store.write() as session:
        session.execute(sql("UPDATE review_rules SET quorum = '{\"project-owner\": 1}'"))
        session.commit()
    assert project.review(project.suggest(), "approve").json()["code"] == "tampered"


def test_a_suggestion_from_before_there_were_revisions_is_rebased_first(project: Any, act: Any) -> None:
    suggestion = project.suggest()
    with project.deployment.app.state.coordinator.store.write() as session:
        session.execute(sql("DELETE FROM revisions"))
        session.commit()
    assert project.review(suggestion, "approve").json()["code"] == "base-moved"
    rebased = act(suggestion, "rebase", project.contributor, revision=1).json()
    assert rebased["revision"] == 2
    assert project.review(rebased, "approve").json()["state"] == "approved"


def test_an_emergency_is_not_followed_by_another_one_of_the_same_owner_before_its_review(
    project: Any, act: Any, policy_text: str
) -> None:
    def broken(token: str, column: str) -> Any:
        made = project.suggest(other(policy_text, column))
        return made, act(made, "break-glass", token, digest=made["digest"], reason="fire")

    first, answer = broken(project.owner, "one")
    assert answer.is_success
    project.deployment.clock.turn(hours=73)  # it counts no more, and its review is due all the same
    _, refused = broken(project.owner, "two")
    assert (refused.status_code, refused.json()["code"]) == (409, "after-review-due")
    _, by_another = broken(project.deployment.admin, "three")
    assert by_another.is_success
    body = {"digest": first["digest"], "verdict": "object", "comment": "no"}
    assert act(first, "after-review", project.deployment.admin, **body).is_success
    assert broken(project.owner, "four")[1].is_success
