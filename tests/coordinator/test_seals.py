"""Attacks by somebody who may write to the database, and has no root key."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.store.models import Token, User

_SEQ = "(SELECT seq FROM users WHERE email = 'customers-{}@example.com')"
OWNER, READER, CONTRIBUTOR = (_SEQ.format(name) for name in ("owner", "reader", "contributor"))
PROJECT = "/v1/projects/customers"
REFUSED = (403, "tampered")


def edit(deployment: Any, *statements: str) -> None:
    with deployment.app.state.coordinator.store.write() as session:
        for statement in statements:
            assert session.execute(text(statement)).rowcount > 0
        session.commit()


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("statement", "who", "path"),
    [
        (f"UPDATE users SET role = 'admin' WHERE seq = {READER}", "reader", "/v1/users"),
        (f"UPDATE tokens SET user_seq = {OWNER} WHERE user_seq = {READER}", "reader", "/v1/me"),
        (f"UPDATE tokens SET expires_at = '2099-01-01 00:00:00' WHERE user_seq = {READER}", "reader", "/v1/me"),
        (f"UPDATE tokens SET parent_id = NULL WHERE user_seq = {READER}", "reader", "/v1/me"),
        (f"UPDATE contributors SET role = 'worker' WHERE user_seq = {OWNER}", "owner", PROJECT + "/keys/k/material"),
        ("UPDATE projects SET label = 'payroll'", "owner", "/v1/projects/payroll"),
        ("UPDATE suggestions SET policy = replace(policy, 'email', 'phone')", "reader", PROJECT + "/suggestions"),
    ],
)
def test_an_edited_row_is_refused_and_named_in_the_log(
    project: Any, caplog: pytest.LogCaptureFixture, statement: str, who: str, path: str
) -> None:
    project.suggest()
    token = getattr(project, who)
    edit(project.deployment, statement)
    with caplog.at_level(logging.ERROR):
        assert refusal(project.deployment.ask("GET", path, token)) == REFUSED
    assert "was edited by hand" in caplog.text
    assert statement.split()[1] in caplog.text


def test_another_author_by_hand_does_not_let_the_author_approve(project: Any, policy_text: str) -> None:
    body = {"title": "mine", "policy": policy_text}
    mine = project.deployment.done("POST", f"{project.path}/suggestions", project.owner, body)
    edit(project.deployment, f"UPDATE suggestions SET author_seq = {CONTRIBUTOR}")
    for verdict in ("approve", "reject"):
        assert refusal(project.review(mine, verdict)) == REFUSED


def test_another_digest_by_hand_is_not_approved(project: Any) -> None:
    suggestion = project.suggest()
    edit(project.deployment, f"UPDATE suggestions SET digest = '{'0' * 64}'")
    assert refusal(project.review(suggestion, "approve", digest="0" * 64)) == REFUSED


def test_a_revocation_is_not_taken_back_by_hand(deployment: Any, project: Any) -> None:
    deployment.done("DELETE", f"/v1/tokens/{project.reader.partition(',')[0]}", deployment.admin)
    edit(deployment, f"UPDATE tokens SET revoked_at = NULL WHERE user_seq = {READER}")
    assert refusal(deployment.ask("GET", "/v1/me", project.reader)) == REFUSED


def test_a_membership_put_in_with_the_seal_of_another_is_refused(deployment: Any, project: Any) -> None:
    outsider = deployment.user("customers-outsider")
    edit(
        deployment,
        "INSERT INTO contributors (project_seq, user_seq, role, created_at, seal) "
        f"SELECT project_seq, {_SEQ.format('outsider')}, role, created_at, seal FROM contributors "
        f"WHERE user_seq = {OWNER}",
    )
    assert refusal(deployment.ask("GET", project.path, outsider)) == REFUSED


def test_a_token_put_in_with_the_seal_of_another_is_refused(deployment: Any) -> None:
    now = deployment.clock()
    forged = ApiToken.generate(now)
    with deployment.app.state.coordinator.store.write() as session:
        admin = session.scalars(select(User).where(User.email == "admin@example.com")).one()
        seal = session.scalars(select(Token.seal).where(Token.user_seq == admin.seq)).one()
        session.add(
            Token(
                id=forged.id,
                user=admin,
                secret_digest=forged.digest(),
                description="",
                created_at=now,
                expires_at=now + timedelta(days=1),
                seal=seal,
            )
        )
        session.commit()
    assert refusal(deployment.ask("GET", "/v1/me", forged.write())) == REFUSED


def test_a_secret_of_ones_own_in_another_ones_token_is_refused(deployment: Any) -> None:
    now = deployment.clock()
    mine = ApiToken.generate(now)
    with deployment.app.state.coordinator.store.write() as session:
        row = session.scalars(select(Token).where(Token.user.has(email="admin@example.com"))).one()
        row.secret_digest = mine.digest()
        forged = ApiToken(row.id, mine.secret)
        session.commit()
    assert refusal(deployment.ask("GET", "/v1/me", forged.write())) == REFUSED


def test_exchanged_emails_do_not_bring_a_stranger_in(deployment: Any, project: Any) -> None:
    deployment.user("stranger")
    edit(
        deployment,
        "UPDATE users SET email = 'away@example.com' WHERE email = 'customers-reader@example.com'",
        "UPDATE users SET email = 'customers-reader@example.com' WHERE email = 'stranger@example.com'",
    )
    path = f"{project.path}/contributors/customers-reader@example.com"
    assert refusal(deployment.ask("PUT", path, project.owner, {"role": "project-owner"})) == REFUSED
    body = {"description": "x", "user_email": "customers-reader@example.com"}
    assert refusal(deployment.ask("POST", "/v1/tokens", deployment.admin, body)) == REFUSED


def test_what_is_changed_through_the_api_is_sealed_again(deployment: Any, project: Any) -> None:
    project.join("customers-reader", "project-contributor")
    deployment.done("PATCH", project.path, project.owner, {"name": "Buyers"})
    assert deployment.ask("GET", project.path, project.reader).is_success
    assert project.approved()["state"] == "approved"
