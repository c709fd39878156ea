from __future__ import annotations

import json
import re

MATERIAL = re.compile("[A-Za-z0-9_-]{43}")


def _checks(person, *arguments, **environment):
    result = person("doctor", *arguments, "--json", **environment)
    return result.exit_code, {check["what"]: check for check in json.loads(result.stdout)}


def test_a_healthy_machine_is_well(admin, service, tmp_path):
    keys = tmp_path / "keys.json"
    admin.ok("keys", "new", keys, "customer")
    code, checks = _checks(admin, "--keys", keys, "--outbox", tmp_path / "outbox", CAPE_KEY_ID="A" * 43)
    assert code == 0, checks
    assert service[0] in checks["coordinator"]["found"]
    assert "admin@example.org" in checks["coordinator"]["found"]
    assert "sees this provider" in checks["airflow"]["found"]
    assert checks["keys in the environment"]["found"] == "id"
    assert checks["kernels"]["found"]
    printed = admin.ok("doctor", "--keys", keys)
    assert service[1] not in printed
    assert MATERIAL.search(keys.read_text())[0] not in printed


def test_what_is_wrong_is_said_and_ends_with_1(somebody, tmp_path):
    keys = tmp_path / "keys.json"
    somebody.ok("keys", "new", keys, "customer")
    keys.chmod(0o644)
    environment = {"CAPE_URL": "http://127.0.0.1:1", "CAPE_TOKEN": "id,canary", "CAPE_KEY_ID": "canary!"}
    environment["CAPE_DEADLINE"] = "0.2"
    code, checks = _checks(somebody, "--keys", keys, "--outbox", tmp_path / "outbox", **environment)
    assert code == 1
    wrong = {what for what, check in checks.items() if not check["well"]}
    assert wrong == {"coordinator", f"key file {keys}", "keys in the environment"}
    assert "canary" not in json.dumps(checks)
