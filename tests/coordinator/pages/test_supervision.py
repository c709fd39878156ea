"""What admins and auditors look at: the audit log, settings, and what runs elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cape_airflow.coordinator.pages.settings import shown
from cape_airflow.coordinator.settings import Settings
from tests.coordinator.pages.story import tell

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def project(shared_project: Any) -> Any:
    tell(shared_project)
    return shared_project


@pytest.fixture(scope="module")
def auditor(project: Any) -> str:
    return str(project.deployment.user("auditor", role="auditor"))


def page(project: Any, path: str, token: str) -> str:
    answer = project.deployment.ask("GET", path, token)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def events(text: str) -> list[str]:
    return re.findall(r'<code class="nowrap">([a-z-]+)</code>', text)


def test_the_log_is_found_by_event_user_project_and_day(project: Any, auditor: str) -> None:
    rotations = "/audit?event=rotate-key&user=customers-owner@example.com&project=customers"
    assert events(page(project, rotations, auditor)) == ["rotate-key"]
    assert events(page(project, rotations + "&since=2020-01-01&until=2099-12-31", auditor)) == ["rotate-key"]
    assert "No event is like that" in page(project, rotations + "&until=2020-01-01", auditor)
    assert "No event is like that" in page(project, f"/audit?target={HOSTILE}", auditor)
    assert HOSTILE not in page(project, f"/audit?user={HOSTILE}", auditor)


def test_looking_at_the_log_is_written_down(project: Any, auditor: str) -> None:
    page(project, "/audit?project=payroll", auditor)
    text = page(project, "/audit?event=read-audit", auditor)
    assert "project payroll" in text


def test_the_log_comes_in_pages_and_as_files_with_the_same_filter(project: Any, auditor: str) -> None:
    text = page(project, "/audit?event=start-job&limit=2", auditor)
    assert len(events(text)) == 2
    [more] = re.findall(r'href="\?(event=start-job&amp;after=\d+)"', text)
    assert len(events(page(project, "/audit?" + more.replace("&amp;", "&"), auditor))) > 2
    [csv] = re.findall(r'href="(/v1/audit/export\?[^"]*format=csv)"', text)
    rows = page(project, csv.replace("&amp;", "&"), auditor).splitlines()
    assert len(rows) > 3
    assert all("start-job" in row for row in rows[1:])


@pytest.mark.parametrize("path", ["/audit", "/people", "/settings"])
def test_supervision_is_for_admins_and_auditors(path: str, project: Any, auditor: str) -> None:
    assert project.deployment.ask("GET", path, project.owner).status_code == 403
    assert f'href="{path}"' in page(project, "/", auditor)
    assert f'href="{path}"' not in page(project, "/", project.owner)


def test_a_day_beyond_the_calendar_is_refused(project: Any, auditor: str) -> None:
    assert project.deployment.ask("GET", "/audit?until=9999-12-31", auditor).status_code == 422


def test_settings_are_shown_and_secrets_are_not(project: Any, auditor: str) -> None:
    text = page(project, "/settings", auditor)
    assert "CAPE_POLL_SECONDS" in text
    assert "how often each of them is asked" in text
    given = Settings(
        home=Path("/srv/cape"),
        db_url=SecretStr("postgresql://cape:hidden-1@db/cape?password=hidden-2"),
        root_key=SecretStr("hidden-3"),
        smtp_user="hidden-4",
        smtp_password=SecretStr("hidden-5"),
    )
    written = {setting.variable: setting for setting in shown(given)}
    assert not any("hidden" in setting.value for setting in written.values())
    assert written["CAPE_HOME"].value == "/srv/cape"
    assert written["CAPE_DB_URL"].value == "not shown"
    assert written["CAPE_TLS_CERT"].value == "none"
    assert written["CAPE_POLL_SECONDS"].value == "60"
    assert written["CAPE_HOME"].given
    assert not written["CAPE_POLL_SECONDS"].given
    assert all(setting.about for setting in written.values()), "every setting is described"


def test_spark_without_a_policy_is_told_by_user_and_project(project: Any, auditor: str) -> None:
    text = page(project, "/schedulers", auditor)
    assert re.search(r'<th scope="row">ada</th><td>customers</td>\s*<td class="number">.*?>0<.*?>2<', text, re.DOTALL)
    assert "k8s-batch does not answer" in text
    assert "no answer within 20 s" in text
    without = page(project, "/schedulers?governed=no&user=ada&active=", auditor)
    assert "export_for_partner" in without
    assert "compact_tables" not in without
    assert "Have" not in without, "an auditor changes nothing"


def test_members_see_what_runs_elsewhere_for_their_projects_and_no_schedulers(project: Any) -> None:
    text = page(project, "/schedulers", project.reader)
    assert "export_for_partner" in text
    assert "adhoc_join" not in text
    assert "k8s-batch" not in text
    assert project.deployment.ask("GET", "/schedulers", project.worker).status_code == 403


def test_an_admin_has_a_job_elsewhere_cancelled(project: Any) -> None:
    path = f"/schedulers/jobs/{3:026d}/cancel"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = project.deployment.ask("POST", path, project.owner, content="", headers=headers)
    assert refused.status_code == 403
    answer = project.deployment.ask(
        "POST", path, project.deployment.admin, content="", headers=headers, follow_redirects=False
    )
    assert answer.status_code == 303
    assert "asked" in page(project, "/schedulers?user=etl&governed=no", project.deployment.admin)
