from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cape_airflow.cli import main

POLICY = "version: 2\nrules:\n  - match: {name: email}\n    actions: [{transform: {type: keyed-hash, key: {ref: k}}}]\n"
JOB = "0a" * 16


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "in.csv").write_text("email\nann@example.com\nbob@example.com\n")
    assert run("keys", "new", "keys.json", "k").exit_code == 0
    assert run("apply", "policy.yaml", "in.csv", "out.csv", "--keys", "keys.json").exit_code == 0
    applied = run("apply", "policy.yaml", "in.csv", "out.parquet", "--keys", "keys.json", "--job-id", JOB)
    assert applied.exit_code == 0, applied.output
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def verify(output: str, *options: str) -> Result:
    return run("verify", "policy.yaml", "in.csv", output, "--keys", "keys.json", *options)


@pytest.mark.usefixtures("folder")
def test_what_apply_has_written_keeps_its_promises() -> None:
    result = verify("out.parquet", "--job-id", JOB)
    assert result.exit_code == 0, result.output
    assert "8 kept, 0 broken, 0 unchecked; 2 rows of 2" in result.output


def test_a_broken_promise_is_told_without_values_and_the_exit_code_says_so(folder: Path) -> None:
    output = folder / "out.csv"
    output.write_text(output.read_text().replace("t1_", "t2_", 1))
    result = verify("out.csv")
    assert result.exit_code == 1
    assert "column `email` (rules[0].actions[0].transform): key-version broken in 1 rows" in result.output
    told = json.loads(verify("out.csv", "--json").stdout)
    assert {each["check"]: each["rows"] for each in told["verdicts"] if each["outcome"] == "broken"} == {
        "key-version": 1
    }
    assert "example.com" not in result.output


@pytest.mark.usefixtures("folder")
def test_another_job_is_found() -> None:
    assert "job-id broken" in verify("out.parquet", "--job-id", "0b" * 16).output
