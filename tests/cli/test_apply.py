from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def keys(somebody, tmp_path):
    path = tmp_path / "keys.json"
    somebody.ok("keys", "new", path, "customer")
    return path


def test_a_file_is_de_identified_and_each_column_told(somebody, policy_file, data_file, keys, tmp_path):
    printed = somebody.ok("apply", policy_file, data_file, tmp_path / "out.parquet", "--keys", keys)
    out = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert out["age"] == [36, 41, 12]
    assert out["email"][2] is None
    assert not {"ada@example.org", "alan@example.org"} & set(out["email"])
    assert "email   transformed  keyed-hash  2       1" in printed
    assert "ada@" not in printed


def test_the_result_as_json_names_job_policy_and_counts(somebody, policy_file, data_file, keys, tmp_path):
    arguments = ("apply", policy_file, data_file, tmp_path / "out.parquet", "--keys", keys, "--job-id", "0" * 32)
    told = somebody.json(*arguments)
    assert (told["job_id"], told["state"], told["progress"]["rows_out"]) == ("0" * 32, "succeeded", 3)
    first = (tmp_path / "out.parquet").read_bytes()
    somebody.ok(*arguments)
    assert (tmp_path / "out.parquet").read_bytes() == first


def test_a_missing_key_is_told_and_nothing_is_written(somebody, policy_file, data_file, tmp_path):
    assert "no key `customer`" in somebody.fails("apply", policy_file, data_file, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_key_may_come_from_the_environment(somebody, policy_file, data_file, tmp_path):
    result = somebody("apply", policy_file, data_file, tmp_path / "out.csv", CAPE_KEY_CUSTOMER="A" * 43)
    assert result.exit_code == 0, result.output


def test_the_type_of_a_text_column_may_be_given(somebody, policy_file, data_file, keys, tmp_path):
    arguments = ("apply", policy_file, data_file, tmp_path / "out.parquet", "--keys", keys, "--column-type")
    somebody.ok(*arguments, "age=string")
    assert pq.read_table(tmp_path / "out.parquet")["age"].to_pylist() == ["36", "41", "12"]
    assert somebody(*arguments, "age").exit_code == 2


@pytest.mark.parametrize("job_id", ["x", "A" * 32, "0" * 31])
def test_a_job_id_that_is_none_is_told(somebody, policy_file, data_file, tmp_path, job_id):
    result = somebody("apply", policy_file, data_file, tmp_path / "out.parquet", "--job-id", job_id)
    assert result.exit_code == 2
    assert "32 lower-case hex digits" in result.stderr


def test_on_a_terminal_there_is_a_bar_and_the_output_stays_clean(policy_file, data_file, keys, tmp_path):
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "cape_airflow.cli", "apply", policy_file, data_file, tmp_path / "o.parquet"]
    with subprocess.Popen([*command, "--keys", keys, "--json"], stdout=subprocess.PIPE, stderr=terminal) as run:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(master, 65536):
                shown += part
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass
        assert run.stdout is not None
        told = json.load(run.stdout)
    os.close(master)
    assert told["state"] == "succeeded"
    assert "rows read" in shown.decode()
