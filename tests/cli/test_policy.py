from __future__ import annotations

import json

import pytest


def test_a_good_policy_is_valid_and_has_a_digest(somebody, policy_file):
    checked = somebody.json("policy", "validate", policy_file)
    assert (checked["label"], checked["version"], checked["findings"]) == ("customers", 2, [])
    assert somebody.ok("policy", "validate", policy_file) == (
        f"{policy_file}: policy customers, version 2, 2 rules, no warnings, digest {checked['digest']}\n"
    )
    assert len(checked["digest"]) == 64


def test_a_policy_is_read_from_the_standard_input(somebody, policy_file):
    assert "digest" in somebody.ok("policy", "validate", "-", input=policy_file.read_text())


def test_a_wrong_policy_is_told_with_its_place(somebody, policy_file):
    policy_file.write_text(policy_file.read_text().replace("keyed-hash", "keyed-hsh"))
    message = somebody.fails("policy", "validate", policy_file)
    assert f"{policy_file}:6" in message
    assert "did you mean `keyed-hash`" in message


def test_a_file_that_is_not_text_is_told(somebody, policy_file):
    policy_file.write_bytes(b"label: \xff\xfe")
    assert "is not UTF-8 text, from byte 7 on" in somebody.fails("policy", "validate", policy_file)


def test_what_a_reviewer_should_know_fails_only_where_that_is_asked_for(somebody, policy_file):
    policy_file.write_text(policy_file.read_text() + "default: keep\n")
    result = somebody("policy", "validate", policy_file)
    assert "warning" in result.stderr
    assert "1 warnings, digest" in result.stdout
    assert result.exit_code == 0
    assert somebody("policy", "validate", policy_file, "--strict").exit_code == 1


def test_a_plan_says_what_each_column_gets(somebody, policy_file, data_file):
    printed = somebody.ok("policy", "plan", policy_file, "--data", data_file)
    assert "keyed-hash" in printed
    assert "kept (not identifying)" in printed
    assert "ada@example.org" not in printed
    plan = somebody.json("policy", "plan", policy_file, "--data", data_file)
    assert [column["decision"] for column in plan["columns"]] == ["transformed", "kept"]


def test_a_plan_needs_a_schema_or_data(somebody, policy_file, data_file):
    assert somebody("policy", "plan", policy_file).exit_code == 2
    assert somebody("policy", "plan", policy_file, "--data", data_file, "--schema", data_file).exit_code == 2


@pytest.mark.parametrize("text", ["", "[]", '{"email": "strong"}', '{"email": 3}'])
def test_a_schema_of_another_form_is_told(somebody, policy_file, tmp_path, text):
    (tmp_path / "schema.json").write_text(text)
    assert "is no schema" in somebody.fails("policy", "plan", policy_file, "--schema", tmp_path / "schema.json")


def test_an_uncovered_column_fails_the_plan(somebody, policy_file, data_file):
    data_file.write_text("email,age,ssn\na,1,2\n")
    assert "ssn" in somebody.fails("policy", "plan", policy_file, "--data", data_file)


def test_a_difference_is_one_in_effect(somebody, policy_file, data_file):
    assert "no difference" in somebody.ok("policy", "diff", policy_file, policy_file)
    after = policy_file.with_name("after.yaml")
    after.write_text(policy_file.read_text().replace("keep: {reason: not identifying}", "actions: [drop]"))
    assert "column age: kept" in somebody.ok("policy", "diff", policy_file, after)
    (change,) = somebody.json("policy", "diff", policy_file, after, "--data", data_file)
    assert change["what"] == "column age"


def test_the_schema_of_policies_is_json_schema(somebody):
    assert "$schema" in json.loads(somebody.ok("policy", "schema"))
