from __future__ import annotations

import json

import yaml

from cape_airflow.client.trust import trusted_keys


def test_the_signing_keys_are_printed_as_a_pin_for_an_airflow_connection(admin):
    printed = admin.json("coordinator", "signing-keys")
    (key,) = printed["keys"]
    assert list(trusted_keys(printed["signing_keys"].split(","))) == [key["key_id"]]
    lines = admin.ok("coordinator", "signing-keys").splitlines()
    assert lines[1].split() == [key["key_id"], key["public_key"]]
    assert json.loads(f"{{{lines[-1]}}}") == {"signing_keys": key["public_key"]}


def test_a_login_tells_and_remembers_the_signing_keys(somebody, service):
    result = somebody("login", "--url", service[0], input=service[1])
    (key,) = somebody.json("coordinator", "signing-keys")["keys"]
    assert f"approvals must be signed by key {key['key_id']}\n" in result.stdout
    assert _written(somebody)["signing_keys"] == [key["public_key"]]


def test_an_approval_by_another_key_than_the_remembered_one_is_refused(team, policy_file):
    suggestion = team.author.json("suggestions", "create", team.project, policy_file, "--title", "First")
    team.officer.ok("suggestions", "approve", team.project, suggestion["id"], "--yes")
    assert "customers" in team.author.ok("policy", "get", team.project)
    _pin(team.author, ["A" * 43])
    refused = team.author.fails("policy", "get", team.project)
    assert "a key that is not trusted here" in refused
    assert "cape coordinator signing-keys" in refused


def test_the_pin_holds_for_another_token_of_the_environment_too(team, policy_file, service):
    suggestion = team.author.json("suggestions", "create", team.project, policy_file, "--title", "First")
    team.officer.ok("suggestions", "approve", team.project, suggestion["id"], "--yes")
    _pin(team.author, ["A" * 43])
    assert "not trusted here" in team.author.fails("policy", "get", team.project, CAPE_TOKEN=service[1])


def test_a_pin_that_is_no_key_is_refused(admin):
    _pin(admin, ["no key"])
    assert "32 bytes" in admin.fails("projects", "list")


def _written(person):
    return yaml.safe_load((person.home / "config.yaml").read_text())


def _pin(person, keys):
    (person.home / "config.yaml").write_text(yaml.safe_dump(_written(person) | {"signing_keys": keys}))
