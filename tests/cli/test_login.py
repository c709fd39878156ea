from __future__ import annotations

import stat

from cape_airflow.cli.session import current


def test_a_login_is_remembered_in_a_private_file(admin, service):
    path = admin.home / "config.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert service[1] in path.read_text()
    assert admin.ok("projects", "list")


def test_the_token_is_never_printed_nor_taken_as_an_argument(somebody, service):
    result = somebody("login", "--url", service[0], input=service[1])
    assert result.exit_code == 0
    assert "as admin@example.org (admin)" in result.stdout
    assert service[1] not in result.output
    assert somebody("login", "--url", service[0], "--token", "x").exit_code == 2


def test_a_token_may_come_from_the_environment(somebody, service):
    assert somebody("login", "--url", service[0], CAPE_TOKEN=service[1]).exit_code == 0


def test_a_token_that_is_not_valid_is_not_remembered(somebody, service):
    assert "401" in somebody.fails("login", "--url", service[0], input="01J00000000000000000000000,AQwrong\n")
    assert not (somebody.home / "config.yaml").exists()


def test_plain_http_to_another_machine_is_refused(somebody):
    assert "plain http" in somebody.fails("login", "--url", "http://cape.example", input="id,token\n")


def test_a_logout_forgets_the_token(admin):
    admin.ok("logout")
    assert "not logged in" in admin.fails("projects", "list")
    admin.ok("logout")


def test_url_and_token_of_the_environment_need_no_login(somebody, service):
    assert somebody("projects", "list", CAPE_URL=service[0], CAPE_TOKEN=service[1]).exit_code == 0


def test_a_remembered_token_is_never_sent_to_another_coordinator(admin):
    assert "set CAPE_TOKEN too" in admin.fails("projects", "list", CAPE_URL="https://other.example")


def test_a_configuration_that_others_may_read_is_refused(admin):
    (admin.home / "config.yaml").chmod(0o644)
    assert "chmod 600" in admin.fails("projects", "list")


def test_a_configuration_of_the_old_command_is_told(admin):
    (admin.home / "config.yaml").write_text("version: 1\ncontext: {cluster: local}\n")
    assert "run: cape login" in admin.fails("projects", "list")


def test_a_session_shows_no_token(admin, service, monkeypatch):
    monkeypatch.setenv("CAPE_HOME", str(admin.home))
    assert service[1] not in repr(current())
