"""A11: schemathesis, in all its phases and following the links between routes, finds nothing.

By default a few cases for each route; ``SCHEMATHESIS_EXAMPLES=120`` makes it more than 10,000 on each database.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(7200)]

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))
SECONDS = 90 + 60 * EXAMPLES

# What names things that are there is a good guess half of the time; without it all routes below them say 404.
SETTINGS = """
continue-on-failure = true
max-failures = 20
request-timeout = 30
headers = {{ Authorization = "Bearer {owner}" }}

[generation]
max-examples = {examples}
allow-x00 = true
database = "none"

[phases.stateful.generation]
max-examples = {chains}

[warnings]
enabled = false

[checks.positive_data_acceptance]
# A schema does not say what a policy is, that a text has no NUL in it, or which cursor is one.
expected-statuses = ["2xx", "304", "400", "401", "403", "404", "409", "422"]

[dictionaries]
labels = {{ values = ["customers"] }}
digests = {{ values = ["{digest}"] }}
suggestions = {{ values = ["{suggestion}"] }}

[parameters]
"path.label" = {{ dictionary = "labels", probability = 0.6 }}
"path.digest" = {{ dictionary = "digests", probability = 0.5 }}

[[operations]]
include-path-regex = "/jobs/|/material"
headers = {{ Authorization = "Bearer {worker}" }}

[[operations]]
include-name = "POST /v1/projects/{{label}}/suggestions"
headers = {{ Authorization = "Bearer {contributor}" }}

# Nobody is to remove those who ask.
[[operations]]
include-path-regex = "/contributors/"
headers = {{ Authorization = "Bearer {other}" }}
parameters = {{ "path.label" = "others" }}
"""


def settings(served: Any, prepared: Any, policy: str) -> str:
    """Make what routes need to have an answer, and return the settings that name it."""
    path = "/v1/projects/customers/suggestions"
    people = prepared.people
    with httpx.Client(base_url=served.url) as client:
        admin = {"Authorization": f"Bearer {prepared.admin}"}
        body = {"email": "other@example.com", "name": "Other"}
        client.post("/v1/users", json=body, headers=admin).raise_for_status()
        client.post("/v1/projects", json={"name": "others"}, headers=admin).raise_for_status()
        there = "/v1/projects/others/contributors/other@example.com"
        client.put(there, json={"role": "project-owner"}, headers=admin).raise_for_status()
        body = {"description": "fuzz", "user_email": "other@example.com"}
        other = client.post("/v1/tokens", json=body, headers=admin).raise_for_status().json()["token"]
        for title in ("approved", "open"):
            body = {"title": title, "policy": policy}
            headers = {"Authorization": f"Bearer {people['contributor']}"}
            made = client.post(path, json=body, headers=headers).raise_for_status().json()
            if title == "approved":
                headers = {"Authorization": f"Bearer {people['owner']}"}
                digest = {"digest": made["digest"]}
                client.post(f"{path}/{made['id']}/approve", json=digest, headers=headers).raise_for_status()
    named = {
        "digest": made["digest"],
        "suggestion": made["id"],
        "owner": prepared.admin,
        "other": other,
        "examples": EXAMPLES,
        "chains": 10 * EXAMPLES,
    }
    return SETTINGS.format(**named, worker=people["worker"], contributor=people["contributor"])


def test_A11_schemathesis_finds_nothing(
    request: pytest.FixtureRequest,
    prepared: Any,
    policy_text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CAPE_FAILURES_PER_MINUTE", "1000000")
    served = request.getfixturevalue("served")
    (tmp_path / "schemathesis.toml").write_text(settings(served, prepared, policy_text))
    answer = httpx.get(f"{served.url}/v1/openapi.json", headers={"Authorization": f"Bearer {prepared.admin}"})
    (tmp_path / "openapi.json").write_text(answer.raise_for_status().text)
    command = Path(sys.executable).with_name("schemathesis")
    ended = subprocess.run(
        [command, "--config-file", "schemathesis.toml", "run", "openapi.json", "--url", served.url, "--no-color"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=tmp_path,
    )
    said = re.sub(r"Bearer \S+", "Bearer ...", ended.stdout)
    assert ended.returncode == 0, said[-12_000:] + ended.stderr[-2_000:]
    found = re.search(r"(\d[\d,]*) generated", said)
    assert found, said[-3_000:]
    cases = int(found[1].replace(",", ""))
    assert cases > max(10 * len(json.loads(answer.text)["paths"]), 10_000 * (EXAMPLES >= 120))
