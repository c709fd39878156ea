"""The way of a policy from a file to its approval, all of it with the command, against a real coordinator."""

from __future__ import annotations

import pytest


@pytest.fixture
def suggestion(team, policy_file):
    return team.author.json("suggestions", "create", team.project, policy_file, "--title", "First")


def test_a_suggestion_is_listed_and_shown(team, suggestion):
    assert suggestion["id"] in team.officer.ok("suggestions", "list", team.project)
    team.officer.ok("suggestions", "comment", team.project, suggestion["id"], "looks\x1b[2Jgood")
    shown = team.author.ok("suggestions", "get", team.project, suggestion["id"])
    assert "keyed-hash" in shown
    assert "looks\\x1b[2Jgood" in shown


def test_approving_shows_what_is_approved_and_asks(team, suggestion):
    declined = team.officer("suggestions", "approve", team.project, suggestion["id"], input="n\n")
    assert declined.exit_code == 1
    for part in ("First", suggestion["author"], suggestion["digest"], "keyed-hash", f"for project {team.project}?"):
        assert part in declined.output
    assert team.author.json("suggestions", "get", team.project, suggestion["id"])["state"] == "open"
    team.officer.ok("suggestions", "approve", team.project, suggestion["id"], input="y\n")
    assert team.author.json("projects", "get", team.project)["policy_digest"] == suggestion["digest"]


def test_the_approved_policy_is_printed_as_it_was_suggested(team, suggestion, policy_file):
    assert "no approved policy" in team.author.fails("policy", "get", team.project)
    team.officer.ok("suggestions", "approve", team.project, suggestion["id"], "--yes", "--comment", "fine")
    assert team.author.ok("policy", "get", team.project).rstrip("\n") == policy_file.read_text().rstrip("\n")
    assert team.author.json("projects", "policy", "get", team.project)["digest"] == suggestion["digest"]
    assert "00000" in team.author.fails("policy", "get", team.project, "--digest", "0" * 64)


def test_the_author_cannot_approve(team, policy_file):
    own = team.officer.json("policy", "create", team.project, policy_file, "--title", "Own")
    assert "own-suggestion" in team.officer.fails("suggestions", "approve", team.project, own["id"], "--yes")


def test_a_rejection_says_why(team, suggestion):
    team.officer.ok("projects", "policy", "reject", team.project, suggestion["id"], "--comment", "keeps the age")
    shown = team.author.json("projects", "policy", "get-suggestion", team.project, suggestion["id"])
    assert (shown["state"], shown["review_comment"]) == ("rejected", "keeps the age")


def test_a_wrong_policy_is_refused_with_its_place(team, policy_file):
    policy_file.write_text("label: [")
    assert "422" in team.author.fails("suggestions", "create", team.project, policy_file, "--title", "Wrong")


def test_a_suggestion_is_changed_reviewed_and_suggested_again(team, suggestion, policy_file):
    project, id = team.project, suggestion["id"]
    team.officer.ok("suggestions", "request-changes", project, id, "--comment", "why keep the age?")
    edited = team.author.json("suggestions", "edit", project, id, "--title", "Better")
    assert (edited["revision"], edited["state"]) == (2, "open")
    team.author.ok("suggestions", "comment", project, id, "here", "--line", "1")
    assert "project-owner: 0 of 1" in team.officer.ok("suggestions", "review", project, id)
    team.officer.ok("suggestions", "approve", project, id, "--yes")
    assert suggestion["digest"] in team.author.ok("suggestions", "approvals", project)
    again = team.author.json("suggestions", "again", project, suggestion["digest"])
    assert "Better" in again["title"]
    team.author.ok("suggestions", "rebase", project, again["id"])
    assert "2 " in team.author.ok("suggestions", "revisions", project, again["id"])
    assert "keyed-hash" in team.author.ok("suggestions", "diff", project, id, again["id"])
    assert team.author.ok("suggestions", "withdraw", project, again["id"]) == "withdrawn\n"


def test_the_glass_is_broken_with_a_reason_and_reviewed_afterwards(team, suggestion):
    project, id = team.project, suggestion["id"]
    team.officer.ok("suggestions", "break-glass", project, id, "--reason", "fire", "--yes")
    assert "own-break-glass" in team.officer.fails("suggestions", "after-review", project, id, "confirm")


def test_the_rule_of_a_project_is_shown_and_made_stricter(team):
    assert "project-owner  1" in team.officer.ok("suggestions", "rule", team.project)
    assert "valid for 90 days" in team.officer.ok("suggestions", "rule", team.project, "--valid-days", 90)
    assert "looser-rule" in team.officer.fails("suggestions", "rule", team.project, "--valid-days", 91)


def test_a_dry_run_is_shown_and_attached(team, suggestion, policy_file, tmp_path):
    people = tmp_path / "people.csv"
    names = [line.split("name: ")[1].split("}")[0] for line in policy_file.read_text().splitlines() if "name: " in line]
    people.write_text(",".join(names) + "\n" + "\n".join(",".join(["7"] * len(names)) for _ in range(12)) + "\n")
    attach = ("--attach", team.project, suggestion["id"])
    assert "12 rows in" in team.author.ok("policy", "dry-run", policy_file, people, *attach)
    shown = team.officer.json("suggestions", "review", team.project, suggestion["id"])
    assert shown["dry_run"]["report"]["rows_in"] == 12
