"""The two clients of Cape from PyPI, unchanged, each in an environment of its own, against a running coordinator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cape_airflow
from benchmarks.environments import make
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.keys.encoding import from_base64url
from cape_airflow.policy import load_policy
from tests import needs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

POLICY = """\
label: anything
rules:
  - match: {name: email}
    actions: [drop]
  - match: {name: name}
    actions:
      - transform: {type: tokenizer, max_token_len: 20, key: {ref: customer-id}}
  - match: {name: ssn}
    actions:
      - transform: {name: encrypted}
  - match: {name: salary}
    actions:
      - transform: {type: numeric-rounding, dtype: Double, precision: -3}
  - match: {name: age}
    actions:
      - transform: {type: numeric-perturbation, dtype: Integer, min: -10, max: 10, seed: 4984}
  - match: {name: born}
    actions:
      - transform: {type: date-perturbation, frequency: [month, day], min: [-3, -9], max: [3, 9], seed: 7}
      - transform: {type: date-truncation, frequency: MONTH}
  - match: {name: consent}
    actions:
      - transform: {type: row-redact, condition: "consent = false or `home country` in ('XX', 'YY')"}
      - transform: {type: column-redact, columns: [consent, not needed]}
transformations:
  - {name: encrypted, type: reversible-tokenizer, key: {ref: customer-id}}
"""
FRAME = {
    "name": ["Alice", "Bob", "Zoë", "日本"],
    "email": ["a@example.com", "b@example.com", "c@example.com", "d@example.com"],
    "ssn": ["123-45-6789", "", "987-65-4321", "x" * 50],
    "salary": [49324.53, 59234.32, 1500.0, 2500.0],
    "age": [34, 55, 17, 90],
    "born": ["1990-05-17", "1970-01-01", "2007-12-31", "1935-02-28"],
    "consent": [True, True, False, True],
    "home country": ["DE", "FR", "DE", "YY"],
    "not needed": [1, 2, 3, 4],
}
START = """
import json, sys
import pandas as pd
import {package} as cape
given = json.load(sys.stdin)
client = cape.Client(given["url"])
frame = pd.DataFrame(given["frame"])
frame["born"] = pd.to_datetime(frame["born"])
try:
{steps}
except Exception as error:
    refused = getattr(error, "errors", None)
    said = [vars(each) for each in refused] if refused else getattr(error, "error", repr(error))
    print(json.dumps({{"refused": said}}))
else:
    print(json.dumps({{"me": me, "table": json.loads(result.to_json(orient="split", date_format="iso"))}}))
"""
STEPS = {
    "cape_dataframes": """
    client.login(given["token"])
    me = client.me()
    result = cape.apply_policy(client.get_policy(given["label"]), frame)
""",
    "cape_privacy": """
    client.login(given["token"])
    me = client.me()
    result = cape.apply_policy(cape.parse_policy(client.get_policy(given["label"])), frame)
""",
}
REQUIREMENTS = {
    # It does not say that it needs the last three.
    "cape_dataframes": ("cape-dataframes==0.3.1", "pandas==2.3.3", "pyspark==3.5.9", "validators", "packaging"),
    "cape_privacy": ("cape-privacy==0.3.0",),
}


def python_3_8() -> str:
    """An interpreter that the pandas of 2020, which cape-privacy asks for, has a wheel for."""
    # pyenv puts a `python3.8` on the PATH that works only where its version is the chosen one.
    of_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.8.*/bin/python3.8")
    for found in filter(None, [shutil.which("python3.8"), *map(str, of_pyenv)]):
        if subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    needs.missing("no Python 3.8, which cape-privacy 0.3.0 needs (pyenv install 3.8, uv python install 3.8)")


@pytest.fixture(scope="module", params=["cape_dataframes", "cape_privacy"])
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def interpreter(package: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = python_3_8() if package == "cape_privacy" else sys.executable
    folder = tmp_path_factory.mktemp(package)
    yield make(folder / "environment", base, REQUIREMENTS[package])
    shutil.rmtree(folder)


@pytest.fixture
def url(project: Any, serve: Any) -> str:
    return str(serve(project.deployment.app))


@pytest.fixture
def run(package: str, interpreter: Path, url: str) -> Any:
    def run(token: str, label: str = "customers") -> Any:
        script = START.format(package=package, steps=STEPS[package])
        given = json.dumps({"url": url, "token": token, "label": label, "frame": FRAME})
        done = subprocess.run([interpreter, "-c", script], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


class Handed:
    """The project's key, as our own workers get it."""

    def __init__(self, material: str) -> None:
        self._key = Key("customer-id", {1: Secret(from_base64url(material))})

    def get(self, name: str) -> Key | None:
        return self._key if name == "customer-id" else None

    def names(self) -> tuple[str, ...]:
        return ("customer-id",)


def ours(project: Any) -> Any:
    """The same policy and data, done by cape_airflow."""
    material = project.deployment.done("GET", f"{project.path}/keys/customer-id/material", project.worker)
    frame = pd.DataFrame(FRAME).assign(born=pd.to_datetime(FRAME["born"]))
    keys = KeyRing(Handed(material["versions"]["1"]))
    return json.loads(
        cape_airflow.apply(load_policy(POLICY), frame, keys=keys).to_json(orient="split", date_format="iso")
    )


def dates(table: Any) -> Any:
    """A table without the time of day, which pandas writes in as many ways as it has versions."""
    position = table["columns"].index("born")
    rows = [[*row[:position], row[position][:10], *row[position + 1 :]] for row in table["data"]]
    return table["columns"], table["index"], rows


def test_a_real_client_logs_in_fetches_and_applies_a_policy_with_our_result(
    project: Any, run: Any, package: str
) -> None:
    project.deployment.done("POST", f"{project.path}/keys", project.owner, {"name": "customer-id"})
    approved = project.approved(POLICY)
    told = run(project.worker)
    assert "refused" not in told, told
    assert dates(told["table"])[::2] == dates(ours(project))[::2]
    assert told["table"]["index"] == [0, 1]
    me = project.deployment.done("GET", "/v1/me", project.worker)
    said = {name: me[name] for name in ("id", "name", "email")}
    assert told["me"] == (me["id"] if package == "cape_privacy" else said)
    applied = project.deployment.rows(
        "SELECT user_email, project, target_id, target_label FROM audit WHERE event = 'apply-policy'"
    )
    row = ("customers-worker@example.com", "customers", approved["id"], approved["digest"])
    assert applied == ([] if package == "cape_privacy" else [row])  # 0.3.0 tells nobody


def test_a_real_client_is_told_that_its_token_is_not_known(run: Any) -> None:
    refused = run("01M7YK8RV1ZMVF45BT8EQDY2VQ,AQ" + "A" * 32)["refused"]
    assert refused["cause"]["Name"] == "authentication_failure"
    assert refused["messages"] == ["this API token is not known"]


def test_a_real_client_gets_no_policy_that_it_would_weaken(project: Any, run: Any) -> None:
    project.approved()
    [refused] = run(project.worker)["refused"]
    assert "version 2" in refused["message"]
    assert refused["extensions"]["cause"]["Category"] == "conflict"


def test_a_real_client_finds_no_project_that_is_not_its_own(project: Any, run: Any) -> None:
    project.approved(POLICY)
    [foreign] = run(project.deployment.user("outsider"))["refused"]
    [missing] = run(project.worker, "nowhere")["refused"]
    assert foreign["message"] == missing["message"] == "there is no such project"
