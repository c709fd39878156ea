"""Passwords, one-time links and sessions, through the pages that people use."""

from __future__ import annotations

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from cape_airflow.coordinator import passwords
from cape_airflow.coordinator.bootstrap import link
from cape_airflow.coordinator.sessions import IDLE, LIFE

PASSWORD = "four plain words here"
READER = "customers-reader@example.com"


def code_for(deployment: Any, email: str = READER) -> str:
    made = deployment.done("POST", f"/v1/users/{email}/link", deployment.admin)
    return str(made["url"]).partition("#")[2]


def submit(deployment: Any, path: str, cookie: str | None = None, **fields: str) -> Any:
    headers = {"Cookie": f"cape_session={cookie}"} if cookie else {}
    answer = deployment.ask("POST", path, data=fields, headers=headers, follow_redirects=False)
    deployment.http.cookies.clear()
    return answer


def log_in(deployment: Any, email: str = READER, password: str = PASSWORD, **more: str) -> Any:
    return submit(deployment, "/login", email=email, password=password, **more)


def cookie_of(answer: Any) -> str:
    found = re.match(r"cape_session=([\w-]{43});", answer.headers["set-cookie"])
    assert found
    return found[1]


def visit(deployment: Any, cookie: str, path: str = "/v1/me") -> Any:
    headers = {"Cookie": f"cape_session={cookie}"}
    return deployment.ask("GET", path, headers=headers, follow_redirects=False)


@pytest.fixture
def member(deployment: Any, project: Any) -> Any:
    """The deployment, whose reader has set his password."""
    assert submit(deployment, "/set-password", code=code_for(deployment), password=PASSWORD).status_code == 303
    return deployment


def test_who_logs_in_is_who_he_is_until_he_logs_out(member: Any) -> None:
    answer = log_in(member, email=" Customers-Reader@Example.com ", next="/projects")
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects")
    cookie = cookie_of(answer)
    assert visit(member, cookie).json()["email"] == READER
    page = visit(member, cookie, "/projects").text
    csrf = re.search(r'name="csrf_token" value="([\w-]{43})"', page)
    assert csrf
    assert submit(member, "/logout", cookie, csrf_token=csrf[1]).headers["location"] == "/login"
    assert visit(member, cookie).status_code == 401
    events = [row[0] for row in member.rows("SELECT event FROM audit ORDER BY seq DESC")][:2]
    assert events == ["log-out", "log-in"]


def test_the_cookie_is_for_the_server_alone_and_not_sent_from_other_sites(member: Any) -> None:
    attributes = log_in(member).headers["set-cookie"].lower().split("; ")[1:]
    assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)
    secure = member.http.post("https://testserver/login", data={"email": READER, "password": PASSWORD})
    assert "Secure" in secure.history[0].headers["set-cookie"]


@pytest.mark.parametrize(
    ("email", "password"),
    [(READER, "four plain words Here"), ("nobody@example.com", PASSWORD), ("customers-owner@example.com", PASSWORD)],
)
def test_wrong_password_no_password_and_no_account_look_the_same(member: Any, email: str, password: str) -> None:
    answer, usual = log_in(member, email, password), log_in(member, READER, "another wrong one")
    assert answer.status_code == usual.status_code == 401
    assert "set-cookie" not in answer.headers
    assert answer.text.replace(email, "") == usual.text.replace(READER, "")


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_an_account_that_there_is_answers_no_slower_than_one_that_there_is_not(member: Any) -> None:
    def seconds(email: str) -> float:
        start = time.perf_counter()
        log_in(member, email, "wrong wrong wrong")
        return time.perf_counter() - start

    for email in (READER, "nobody@example.com"):
        seconds(email)
    there, nowhere = [], []
    for _ in range(15):
        there.append(seconds(READER))
        nowhere.append(seconds("nobody@example.com"))
    assert 0.75 < statistics.median(there) / statistics.median(nowhere) < 1.33


def test_refused_attempts_are_recorded_without_what_was_typed(member: Any) -> None:
    log_in(member, READER, "hunter2-hunter2")
    log_in(member, "my-secret-password@x.com", "hunter2-hunter2")
    rows = member.rows("SELECT target_label, target_id FROM audit WHERE event = 'refuse-log-in' ORDER BY seq")
    assert rows[0][0] == READER
    assert rows[1] == (None, "unknown")
    assert "secret" not in str(member.rows("SELECT * FROM audit"))


def test_after_too_many_wrong_guesses_even_the_right_one_waits(maker: Any, prepared: Any) -> None:
    deployment = maker.deployment(failures_per_minute=3)
    submit(deployment, "/set-password", code=code_for(deployment), password=PASSWORD)
    assert [log_in(deployment, password="wrong").status_code for _ in range(5)] == [401] * 3 + [429] * 2
    refused = log_in(deployment)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    deployment.clock.turn(seconds=61)
    assert log_in(deployment).status_code == 303


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_guesses_that_are_sent_at_once_are_counted_like_those_sent_one_after_the_other(maker: Any, serve: Any) -> None:
    url = serve(maker.deployment(failures_per_minute=3).app)

    def guess(number: int) -> int:
        fields = {"email": READER, "password": f"wrong {number}"}
        return httpx.post(f"{url}/login", data=fields, timeout=60).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(16)))
    assert answers.count(401) <= 3 + passwords.AT_ONCE - 1
    assert set(answers) == {401, 429}


def test_an_account_is_guarded_from_guesses_of_many_addresses(maker: Any) -> None:
    deployment = maker.deployment(failures_per_minute=3)
    throttle, now = deployment.app.state.coordinator.throttle, deployment.clock()
    for _ in range(3):
        throttle.fail(f"account {READER}", now)
    assert log_in(deployment).status_code == 429
    assert log_in(deployment, "customers-owner@example.com").status_code == 401


def test_a_session_ends_an_hour_after_its_last_use_and_twelve_hours_after_its_log_in(member: Any) -> None:
    cookie = cookie_of(log_in(member))
    member.clock.turn(seconds=IDLE.total_seconds() - 1)
    assert visit(member, cookie).is_success
    member.clock.turn(seconds=IDLE.total_seconds() - 1)
    assert visit(member, cookie).is_success
    member.clock.turn(seconds=IDLE.total_seconds())
    assert visit(member, cookie).status_code == 401
    cookie = cookie_of(log_in(member))
    for _ in range(LIFE // timedelta(minutes=50)):
        member.clock.turn(minutes=50)
        assert visit(member, cookie).is_success
    member.clock.turn(minutes=50)
    assert visit(member, cookie).status_code == 401


def test_the_ticket_is_new_at_each_log_in_and_the_old_one_is_over(member: Any) -> None:
    first = cookie_of(log_in(member))
    answer = submit(member, "/login", first, email=READER, password=PASSWORD)
    assert cookie_of(answer) != first
    assert visit(member, first).status_code == 401


def test_a_page_sends_whoever_has_no_session_to_log_in_and_back(shared_deployment: Any) -> None:
    answer = shared_deployment.ask("GET", "/projects?limit=7", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/projects%3Flimit%3D7")
    assert 'value="/projects?limit=7"' in shared_deployment.ask("GET", answer.headers["location"]).text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "/\t/evil.example",
        "javascript:x",
        "",
        "x",
    ],
)
def test_the_way_back_never_leads_elsewhere(shared_deployment: Any, elsewhere: str) -> None:
    page = shared_deployment.ask("GET", "/login", params={"next": elsewhere}).text
    assert 'name="next" value="/"' in page


def test_log_in_from_a_page_of_another_site_is_refused(shared_deployment: Any) -> None:
    fields = {"email": READER, "password": PASSWORD}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert shared_deployment.ask("POST", "/login", data=fields, headers=headers).status_code == 403
    assert (
        shared_deployment.ask("POST", "/login", data=fields, headers={"Origin": "http://testserver"}).status_code == 401
    )


@pytest.mark.parametrize("content", [b"email=%00&password=x", b"email=\xff", b"email=%ff", b"&".join([b"a=1"] * 1001)])
def test_a_form_that_no_database_can_hold_is_refused(shared_deployment: Any, content: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert shared_deployment.ask("POST", "/login", content=content, headers=headers).status_code == 400


def test_a_page_takes_forms_and_the_api_takes_json(shared_deployment: Any) -> None:
    assert shared_deployment.ask("POST", "/login", json={"email": "x"}).status_code == 415
    form = {"data": {"description": "x"}}
    assert shared_deployment.ask("POST", "/v1/tokens", shared_deployment.admin, **form).status_code == 415


def test_a_link_is_good_once_for_a_day_and_only_the_newest(deployment: Any, project: Any) -> None:
    def status(code: str) -> int:
        return int(submit(deployment, "/set-password", code=code, password=PASSWORD).status_code)

    older, newest = code_for(deployment), code_for(deployment)
    assert [status(code) for code in (older, newest, newest, "x", "A" * 43)] == [403, 303, 403, 403, 403]
    late = code_for(deployment)
    deployment.clock.turn(hours=24)
    assert status(late) == 403


@pytest.mark.parametrize("password", ["", "short", "eleven char", "a" * 40, "x" + READER, "y" * 129])
def test_a_weak_password_is_refused_and_the_link_stays_good(deployment: Any, project: Any, password: str) -> None:
    code = code_for(deployment)
    assert submit(deployment, "/set-password", code=code, password=password).status_code == 422
    assert submit(deployment, "/set-password", code=code, password=PASSWORD).status_code == 303


def test_with_a_new_password_all_sessions_end(member: Any) -> None:
    before = cookie_of(log_in(member))
    after = cookie_of(submit(member, "/set-password", code=code_for(member), password="other plain words here"))
    assert [visit(member, cookie).status_code for cookie in (before, after)] == [401, 200]
    assert log_in(member).status_code == 401


def test_one_changes_ones_password_with_the_present_one(member: Any) -> None:
    browser = member.browser(READER)

    def change(current: str, password: str) -> Any:
        fields = {"current": current, "password": password, "csrf_token": browser.csrf}
        return browser.ask("POST", "/password", data=fields, headers={"X-CSRF-Token": ""})

    assert change("wrong wrong wrong", "new plain words here").status_code == 403
    assert change(PASSWORD, "short").status_code == 422
    assert change(PASSWORD, "new plain words here").status_code == 303
    member.http.cookies.clear()
    assert browser.ask("GET", "/v1/me").status_code == 401
    assert log_in(member, password="new plain words here").status_code == 303


def test_neither_password_nor_code_nor_cookie_is_in_the_database(member: Any) -> None:
    code, cookie = code_for(member, "customers-owner@example.com"), cookie_of(log_in(member))
    tables = ("passwords", "browser_sessions", "one_time_links", "users", "audit", "replays")
    dump = "".join(str(member.rows(f"SELECT * FROM {table}")) for table in tables)
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in dump
    assert not [secret for secret in (PASSWORD, code, cookie) if secret in dump]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("passwords", "encoded = encoded || 'x'"),
        ("browser_sessions", "expires_at = '2099-01-01 00:00:00'"),
        ("users", "deactivated_at = '2026-01-01 00:00:00'"),
        ("users", "kind = 'service'"),
    ],
)
def test_what_was_edited_in_the_database_lets_nobody_in(member: Any, table: str, change: str) -> None:
    cookie = cookie_of(log_in(member))
    with member.app.state.coordinator.store.write() as session:
        session.execute(text(f"UPDATE {table} SET {change}"))
        session.commit()
    answer = log_in(member) if table == "passwords" else visit(member, cookie)
    assert answer.status_code == 403
    assert "tampered" in answer.text


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_the_admin_of_the_machine_makes_himself_a_link(maker: Any) -> None:
    deployment = maker.deployment(public_url="https://cape.example/")
    url = link(deployment.settings, "Admin@example.com")
    assert url.startswith("https://cape.example/set-password#")
    assert submit(deployment, "/set-password", code=url.partition("#")[2], password=PASSWORD).status_code == 303
    assert log_in(deployment, "admin@example.com").status_code == 303
