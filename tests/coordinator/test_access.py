from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from cape_airflow.coordinator.store.models import Base
from cape_airflow.keys.encoding import from_base64url


def message(answer: Any) -> str:
    return f"{answer.status_code} {answer.json().get('message', 'ok')}"


def test_S5_a_token_expires_to_the_second(deployment: Any, project: Any) -> None:
    token = deployment.token("customers-reader@example.com", expires_in_days=1)
    deployment.clock.turn(days=1, seconds=-1)
    assert deployment.ask("GET", "/v1/me", token).is_success
    deployment.clock.turn(seconds=1)
    assert message(deployment.ask("GET", "/v1/me", token)).startswith("401 this API token has expired")


def test_S5_a_revoked_token_is_refused_at_once_and_stays_so(deployment: Any, project: Any) -> None:
    token_id = project.reader.partition(",")[0]
    for _ in range(2):
        assert deployment.done("DELETE", f"/v1/tokens/{token_id}", deployment.admin)["revoked_at"]
        assert message(deployment.ask("GET", "/v1/me", project.reader)) == "401 this API token was revoked"
    assert len(deployment.rows("SELECT * FROM audit WHERE event = 'remove-token'")) == 1


def test_S5_tokens_rotate_with_overlap(deployment: Any, project: Any) -> None:
    new = deployment.token("customers-reader@example.com")
    assert deployment.ask("GET", "/v1/me", project.reader).is_success
    deployment.done("DELETE", f"/v1/tokens/{project.reader.partition(',')[0]}", new)
    assert deployment.ask("GET", "/v1/me", project.reader).status_code == 401
    assert deployment.ask("GET", "/v1/me", new).is_success


def test_S5_a_clock_that_runs_a_minute_behind_or_ahead_refuses_no_good_token(deployment: Any, project: Any) -> None:
    for seconds in (-60, 120):
        deployment.clock.turn(seconds=seconds)
        assert deployment.ask("GET", "/v1/me", project.reader).is_success


@pytest.mark.parametrize("character", [30, 40, 60])
def test_a_token_with_one_other_character_is_not_known(deployment: Any, project: Any, character: int) -> None:
    good = project.reader
    other = good[:character] + ("A" if good[character] != "A" else "B") + good[character + 1 :]
    assert deployment.ask("GET", "/v1/me", other).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x,y", "Bearer \xff,\xfe", "Bearer " + "A" * 10_000]
)
def test_other_credentials_are_refused_with_a_challenge(deployment: Any, header: str) -> None:
    answer = deployment.ask("GET", "/v1/me", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_S5_the_eleventh_failure_of_a_minute_is_429_and_a_good_token_still_passes(maker: Any, prepared: Any) -> None:
    deployment = maker.deployment(failures_per_minute=10)
    bad = prepared.admin[:-4] + "AAAA"
    statuses = [deployment.ask("GET", "/v1/me", bad).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert 0 < int(deployment.ask("GET", "/v1/me", "malformed").headers["retry-after"]) <= 60
    assert deployment.ask("GET", "/v1/me", prepared.admin).is_success
    deployment.clock.turn(seconds=61)
    assert deployment.ask("GET", "/v1/me", bad).status_code == 401


def test_a_missing_token_is_no_failed_try(maker: Any) -> None:
    deployment = maker.deployment(failures_per_minute=1)
    assert {deployment.ask("GET", "/v1/me").status_code for _ in range(5)} == {401}


def test_the_use_of_a_token_is_noted_once_a_minute_by_reads_and_writes(deployment: Any, project: Any) -> None:
    def used() -> Any:
        own = deployment.done("GET", "/v1/tokens", project.reader)["items"]
        return own[0]["last_used_at"]

    deployment.ask("GET", "/v1/me", project.reader)
    first = used()
    deployment.clock.turn(seconds=30)
    assert used() == first
    deployment.clock.turn(seconds=31)
    deployment.ask("POST", "/v1/tokens", project.reader, {"description": "x"})
    assert used() > first


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_A7_reads_go_on_where_the_database_takes_no_writes(maker: Any) -> None:
    deployment = maker.deployment(lock_seconds=1)
    with deployment.app.state.coordinator.store.write() as other:
        other.execute(text("UPDATE users SET name = name"))
        assert deployment.ask("GET", "/v1/me", deployment.admin).is_success


def test_a_removed_member_loses_all_access_at_once(deployment: Any, project: Any) -> None:
    assert deployment.ask("GET", project.path, project.reader).is_success
    deployment.done("DELETE", f"{project.path}/contributors/customers-reader@example.com", deployment.admin)
    assert deployment.ask("GET", project.path, project.reader).status_code == 404
    assert deployment.done("GET", "/v1/projects", project.reader)["items"] == []


def test_S4_the_database_holds_digests_and_wrapped_secrets_only(deployment: Any, project: Any) -> None:
    made = deployment.ask(
        "POST", "/v1/tokens", project.owner, {"description": "x"}, headers={"Idempotency-Key": "once"}
    ).json()
    deployment.done("POST", f"{project.path}/keys", project.owner, {"name": "k"})
    material = deployment.done("GET", f"{project.path}/keys/k/material", project.worker)["versions"]["1"]
    secrets = [made["token"].partition(",")[2], project.worker.partition(",")[2], material]
    dump = b"".join(everything_in(deployment))
    for secret in secrets:
        raw = from_base64url(secret)
        for form in (secret.encode(), raw, raw.hex().encode(), raw[1:], raw[1:].hex().encode()):
            assert form not in dump


def everything_in(deployment: Any) -> list[bytes]:
    home = deployment.settings.home
    files = [path.read_bytes() for path in home.glob("coordinator.db*")]
    if files:
        return files
    tables = Base.metadata.tables
    return [str(row).encode() for name in tables for row in deployment.rows(f'SELECT t::text FROM "{name}" t')]
