from __future__ import annotations

from pathlib import Path

import pytest

from cape_airflow.jobs.schedulers import ExternalJob, ExternalState, SchedulerError, load_schedulers, open_scheduler

CANARY = "canary-4711"


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "schedulers.toml"
    path.write_text("\n".join(("[schedulers.far]", *lines)))
    return path


def test_a_scheduler_is_made_of_its_section(tmp_path: Path) -> None:
    path = written(tmp_path, 'type = "yarn"', 'url = "https://rm.example.com:8090/"', "timeout = 5")
    assert open_scheduler(path, "far").name == "far"
    assert load_schedulers(path)["far"].url == "https://rm.example.com:8090"


def test_a_name_that_is_not_there_brings_the_nearest_one(tmp_path: Path) -> None:
    path = written(tmp_path, 'type = "mesos"', 'url = "https://m.example.com"')
    with pytest.raises(SchedulerError, match="did you mean `far`"):
        open_scheduler(path, "fra")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (('type = "slurm"', 'url = "https://x"'), "type"),
        (('type = "yarn"', f'url = "https://ada:{CANARY}@x"'), "leave out user"),
        (('type = "yarn"', f'url = "https://x/?token={CANARY}"'), "leave out user"),
        (('type = "yarn"', 'url = "ftp://x"'), "write https"),
        (('type = "yarn"', 'url = "https://x:port"'), "write https"),
        (('type = "yarn"', 'url = "https://x"', f'token = "{CANARY}"'), "token"),
        (('type = "yarn"', 'url = "https://x"', f'{CANARY} = "x"'), "extra|Extra"),
        (('type = "yarn"', 'url = "https://x"', 'token = {env = "A", file = "b"}'), "one place"),
        (('type = "yarn"', 'url = "https://x"', 'password = {env = "A"}'), "needs its user"),
        (('type = "yarn"', 'url = "http://x"', 'token = {env = "A"}'), "use https"),
        (('type = "yarn"', 'url = "https://x"', 'namespace = "a"'), "namespace"),
        (('type = "yarn"', 'url = "https://x"', "timeout = 0"), "timeout"),
        (('type = "yarn"', 'url = "https://x"', f"url = {CANARY}"), "not TOML"),
    ],
)
def test_what_makes_no_sense_is_refused_and_no_value_is_shown(
    lines: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(SchedulerError, match=said) as caught:
        load_schedulers(written(tmp_path, *lines))
    assert f"{CANARY}@" not in str(caught.value)
    assert f"={CANARY}" not in str(caught.value)
    assert f'"{CANARY}"' not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SchedulerError, match="cannot read the schedulers"):
        load_schedulers(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_secret_may_be_sent_in_clear_on_this_machine(host: str, tmp_path: Path) -> None:
    path = written(tmp_path, 'type = "yarn"', f'url = "http://{host}:80"', 'token = {env = "A"}')
    assert "env" not in repr(load_schedulers(path)["far"])


@pytest.mark.parametrize("place", ["env", "file"])
def test_a_secret_is_read_anew_for_each_request_and_its_absence_is_told(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    where = {"env": 'env = "FAR_TOKEN"', "file": f'file = "{secret}"'}[place]
    path = written(tmp_path, 'type = "mesos"', 'url = "https://m.example.com"', f"token = {{{where}}}")
    scheduler = open_scheduler(path, "far")
    with pytest.raises(SchedulerError, match=r"no secret in|cannot be read"):
        scheduler.list_jobs()
    for value in ("first", "second"):
        secret.write_text(f"{value}\n")
        monkeypatch.setenv("FAR_TOKEN", value)
        assert scheduler._rest.credentials.header() == {"Authorization": f"Bearer {value}"}
    secret.write_text("a\nHost: evil")
    monkeypatch.setenv("FAR_TOKEN", "a\nHost: evil")
    with pytest.raises(SchedulerError, match="no HTTP header takes"):
        scheduler.list_jobs()


def test_the_first_mark_that_fits_says_which_project_a_job_belongs_to(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'type = "yarn"',
        'url = "https://x"',
        'projects = {"tag:risk" = "risk", "queue:root.payroll" = "payroll", "user:ada" = "adas"}',
    )
    settings = load_schedulers(path)["far"]

    def project(**more: object) -> str | None:
        return settings.project_of(ExternalJob("1", "n", state=ExternalState.RUNNING, word="", **{"user": "bo"} | more))  # type: ignore[arg-type]

    assert project() is None
    assert project(user="ada") == "adas"
    assert project(user="ada", queue="root.payroll") == "payroll"
    assert project(queue="root.payroll", tags=("risk",)) == "risk"
