"""Revision 0004 with data: what reviews have come to stays when it goes down and up; how they came to it does not."""

from __future__ import annotations

from typing import Any

from tests.coordinator.store.restarts import started_again

SUGGESTIONS = "SELECT title, state FROM suggestions ORDER BY seq"
APPROVALS = "SELECT s.title FROM approvals a JOIN suggestions s ON s.seq = a.suggestion_seq ORDER BY a.seq"
GONE = ("revisions", "reviews", "review_rules", "dry_runs")


def reviewed(project: Any, policy_text: str, examples: Any) -> None:
    """Fill every table of the revision, and bring suggestions into all states."""
    deployment = project.deployment

    def suggest(title: str) -> Any:
        return project.suggest(policy_text.replace("email", title), title=title)

    def act(suggestion: Any, verb: str, token: str, **body: Any) -> None:
        path = f"{project.path}/suggestions/{suggestion['id']}/{verb}"
        deployment.done("POST", path, token, {"digest": suggestion["digest"]} | body)

    deployment.done("PUT", f"{project.path}/review-rule", project.owner, {"quorum": {"project-owner": 1}})
    act(suggest("superseded"), "approve", project.owner)
    confirmed = suggest("confirmed")
    act(confirmed, "break-glass", deployment.admin, reason="a fire")
    act(confirmed, "after-review", project.owner, verdict="confirm")
    revoked = suggest("revoked")
    act(revoked, "break-glass", deployment.admin, reason="a fire")
    act(revoked, "after-review", project.owner, verdict="object", comment="no")
    act(suggest("asked"), "request-changes", project.owner, comment="not yet")
    withdrawn = f"{project.path}/suggestions/{suggest('withdrawn')['id']}"
    deployment.done("POST", f"{withdrawn}/comments", project.owner, {"text": "why?", "line": 1})
    deployment.done("POST", f"{withdrawn}/withdraw", project.contributor)
    path, body = examples["POST", "/v1/projects/{label}/suggestions/{id}/dry-runs"](project)
    deployment.done("POST", path, project.contributor, body)


def test_A9_reviews_survive_down_and_up_with_what_they_came_to(project: Any, policy_text: str, examples: Any) -> None:
    reviewed(project, policy_text, examples)
    deployment, path = project.deployment, f"{project.path}/policy"
    assert [row[0] for row in deployment.rows(APPROVALS)] == ["superseded", "confirmed", "confirmed", "revoked"]
    before = deployment.done("GET", path, project.worker)
    for _ in range(2):
        deployment = started_again(deployment, revision="0003")
        assert deployment.rows(SUGGESTIONS) == [
            ("superseded", "approved"),
            ("confirmed", "approved"),
            ("revoked", "rejected"),
            ("asked", "open"),
            ("withdrawn", "rejected"),
            ("first", "open"),
        ]
        assert [row[0] for row in deployment.rows(APPROVALS)] == ["superseded", "confirmed"]
        assert deployment.rows("SELECT text, line, revision FROM comments") == [("why?", None, None)]
        assert [deployment.rows(f"SELECT count(*) FROM {table}")[0][0] for table in GONE] == [0] * len(GONE)
        assert deployment.done("GET", path, project.worker) == before
    deployment.close()


def test_A9_what_was_open_is_rebased_and_then_approved_after_down_and_up(project: Any) -> None:
    project.approved()
    suggestion = project.suggest()
    fresh = started_again(project.deployment, revision="0003")
    path, body = f"{project.path}/suggestions/{suggestion['id']}", {"digest": suggestion["digest"]}
    refused = fresh.ask("POST", f"{path}/approve", project.owner, body)
    assert (refused.status_code, refused.json()["code"]) == (409, "base-moved")
    assert fresh.done("POST", f"{path}/rebase", project.contributor, {"revision": 1})["revision"] == 2
    assert fresh.done("POST", f"{path}/approve", project.owner, body)["state"] == "approved"
    fresh.close()
