"""S2: what holds a key or a token shows nothing and goes nowhere; an argument that would hold one is refused."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cape_airflow.client import AsyncCoordinatorClient, CoordinatorClient, CoordinatorKeys
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.masking import MaskedKeyRing
from cape_airflow.keys import EnvironmentKeys, FileKeys, Key, KeyRing, Secret
from cape_airflow.keys.encoding import to_base64url
from cape_airflow.keys.written import WrittenKey
from cape_airflow.operators.approval import CapeApprovalOperator
from cape_airflow.operators.spark import CapeSparkOperator
from cape_airflow.operators.suggest import CapeSuggestPolicyOperator
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor
from tests.leaks.canaries import Canary

MATERIAL = b"a key of thirty-two bytes, canary"[:32]
TOKEN = "01HLEAKS,AQcanaryCanaryCanary4711"
CANARIES = [Canary.material("the key", MATERIAL), Canary.value("the token", TOKEN.rpartition(",")[2])]


def _environment() -> EnvironmentKeys:
    return EnvironmentKeys({"CAPE_KEY_K": to_base64url(MATERIAL)})


def _file(tmp_path: Path) -> FileKeys:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"k": {"primary": 1, "versions": {"1": to_base64url(MATERIAL)}}}))
    path.chmod(0o600)
    keys = FileKeys(path)
    keys.get("k")
    return keys


def _ring(kind: type[KeyRing]) -> KeyRing:
    keys = kind(_environment())
    keys.get("k")
    return keys


def _hook(monkeypatch: pytest.MonkeyPatch) -> CapeHook:
    connection = {"conn_type": "cape", "host": "127.0.0.1", "password": TOKEN}
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(connection))
    hook = CapeHook()
    assert hook.client.token_id == "01HLEAKS"
    return hook


HOLDERS: dict[str, Callable[[Path, pytest.MonkeyPatch], Any]] = {
    "Secret": lambda *_: Secret(MATERIAL),
    "Key": lambda *_: Key("k", {1: Secret(MATERIAL)}),
    "WrittenKey": lambda *_: WrittenKey(primary=1, versions={1: Secret(MATERIAL)}),
    "KeyRing": lambda *_: _ring(KeyRing),
    "MaskedKeyRing": lambda *_: _ring(MaskedKeyRing),
    "EnvironmentKeys": lambda *_: _environment(),
    "FileKeys": lambda tmp_path, _: _file(tmp_path),
    "CoordinatorKeys": lambda *_: CoordinatorKeys(CoordinatorClient("https://cape.example", TOKEN), "crm"),
    "CoordinatorClient": lambda *_: CoordinatorClient("https://cape.example", TOKEN),
    "AsyncCoordinatorClient": lambda *_: AsyncCoordinatorClient("https://cape.example", TOKEN),
    "CapeHook": lambda _, monkeypatch: _hook(monkeypatch),
}
SHOWN: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "f-string": lambda holder: f"{holder} {holder!r} {[holder]}",
    "%r": lambda holder: "%r %s" % (holder, {"x": holder}),  # noqa: UP031 - that is what is tested
    "vars": lambda holder: repr(getattr(holder, "__dict__", "")) if not isinstance(holder, EnvironmentKeys) else "",
    "json": lambda holder: json.dumps(holder, default=repr),
    "traceback": lambda holder: _traceback(holder),  # noqa: PLW0108 - it stands below
    "pickle": lambda holder: repr(pickle.dumps(holder)),
    "copy": lambda holder: repr(vars(copy.deepcopy(holder))),
}


@pytest.fixture(params=list(HOLDERS))
def holder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Something that holds a key or a token."""
    return HOLDERS[request.param](tmp_path, monkeypatch)


@pytest.mark.parametrize("way", list(SHOWN))
def test_no_way_to_show_a_holder_of_secrets_shows_any(holder: Any, way: str) -> None:
    try:
        shown = SHOWN[way](holder)
    except TypeError as refusal:  # it cannot be taken along
        shown = str(refusal)
    found = {canary.name: canary.found_in(str(shown).encode()) for canary in CANARIES}
    assert found == {"the key": set(), "the token": set()}


def _traceback(holder: Any) -> str:
    try:
        _fail(holder)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


def _fail(holder: Any) -> None:
    raise ValueError(type(holder).__name__)


S3 = "s3://AKIA:canaryCanaryCanary4711@bucket/x"


@pytest.mark.parametrize(
    "given",
    [
        {"key": TOKEN},
        {"keys": {"customer-id": TOKEN}},
        {"token": TOKEN},
        {"storage_options": {"secret": TOKEN}},
        {"source": S3},
        {"target": S3},
        {"source_options": {"password": TOKEN}},
        {"source_options": {"aws_secret_access_key": TOKEN}},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [CapeTransformOperator, CapeSparkOperator])
def test_an_argument_that_would_hold_a_secret_is_refused_when_the_dag_is_parsed(
    kind: Callable[..., Any], given: dict[str, Any]
) -> None:
    with pytest.raises(Exception, match=r"credentials|invalid arguments|unexpected keyword") as refusal:
        kind(**{"task_id": "t", "source": "/in", "target": "/out", "project": "p", **given})
    assert "canaryCanary" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("kind", [CapePolicyApprovalSensor, CapeApprovalOperator, CapeSuggestPolicyOperator])
@pytest.mark.parametrize("argument", ["key", "token", "password"])
def test_an_argument_that_no_task_takes_is_refused_without_its_value(kind: Callable[..., Any], argument: str) -> None:
    arguments = {"task_id": "t", "project": "p", "suggestion_id": "s", argument: TOKEN}
    if kind is CapeSuggestPolicyOperator:
        arguments |= {"title": "t", "policy_file": "p.yaml"}
        del arguments["suggestion_id"]
    with pytest.raises(TypeError, match=f"invalid arguments: {argument}") as refusal:
        kind(**arguments)
    assert "canaryCanary" not in "".join(traceback.format_exception(refusal.value))
