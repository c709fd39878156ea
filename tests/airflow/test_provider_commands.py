"""What Airflow's own commands say of the provider; all of them in one process, since each start of Airflow costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from cape_airflow import __version__
from cape_airflow.provider_info import get_provider_info

pytestmark = pytest.mark.integration

INFO = get_provider_info()
LISTS = ("list", "get cape-airflow --full", "hooks", "links", "triggers", "notifications", "widgets", "behaviours")
SCRIPT = """
import contextlib, io, json, sys
from airflow.cli.cli_parser import get_parser

parser, said = get_parser(), {}
for command in json.loads(sys.argv[1]):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        arguments = parser.parse_args(command.split())
        arguments.func(arguments)
    said[command] = output.getvalue()
print(json.dumps(said), file=sys.__stdout__)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command printed."""
    commands = [f"providers {name} -o json" for name in LISTS]
    commands += ["plugins -o json", "config list --section cape --include-descriptions"]
    commands += [f"config get-value cape {name}" for name in INFO["config"]["cape"]["options"]]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    ran = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:cape_airflow", "-c", SCRIPT, json.dumps(commands)],
        env={**ours, "AIRFLOW_HOME": str(tmp_path_factory.mktemp("home")), "COLUMNS": "9999"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "cape" not in "".join(line for line in ran.stderr.splitlines() if "arning" in line or "eprecat" in line)
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def _rows(said: dict[str, str], name: str) -> list[dict[str, Any]]:
    return list(json.loads(said[f"providers {name} -o json"].splitlines()[-1]))


def test_the_provider_is_listed_with_its_version_and_what_it_is_for(said: dict[str, str]) -> None:
    [row] = [row for row in _rows(said, "list") if row["package_name"] == "cape-airflow"]
    assert (row["version"], row["description"]) == (__version__, INFO["description"].rstrip("."))


def test_all_that_it_brings_is_shown(said: dict[str, str]) -> None:
    [row] = _rows(said, "get cape-airflow --full")
    assert all(row[key] for key in INFO)


def test_its_connection_type_belongs_to_its_hook_without_an_import_error(said: dict[str, str]) -> None:
    [row] = [row for row in _rows(said, "hooks") if row["connection_type"] == "cape"]
    assert row == {
        "connection_type": "cape",
        "class": "cape_airflow.hooks.cape.CapeHook",
        "conn_id_attribute_name": "cape_conn_id",
        "package_name": "cape-airflow",
        "hook_name": "Cape coordinator",
    }


def test_its_form_has_its_fields_and_what_it_says_of_the_standard_ones(said: dict[str, str]) -> None:
    if not hasattr(_provider_managers(), "ProvidersManagerTaskRuntime"):
        pytest.skip("Airflow 3.1 knows no form fields in metadata")
    fields = {row["connection_parameter_name"] for row in _rows(said, "widgets") if "cape_airflow" in str(row["class"])}
    [connection] = INFO["connection-types"]
    assert fields == {f"extra__cape__{name}" for name in connection["conn-fields"]}
    assert {"field_behaviours": "cape"} in _rows(said, "behaviours")


def _provider_managers() -> Any:
    try:
        from airflow.sdk import providers_manager_runtime
    except ImportError:
        return None
    return providers_manager_runtime


def test_its_links_triggers_and_notifiers_are_shown(said: dict[str, str]) -> None:
    assert set(INFO["extra-links"]) <= {row["extra_link_class_name"] for row in _rows(said, "links")}
    assert set(INFO["notifications"]) <= {row["notification_class_name"] for row in _rows(said, "notifications")}
    shown = {row["class"] for row in _rows(said, "triggers") if row["package_name"] == "cape-airflow"}
    assert shown == set(INFO["triggers"][0]["python-modules"])


def test_its_plugin_is_loaded_once(said: dict[str, str]) -> None:
    plugins = json.loads(said["plugins -o json"].splitlines()[-1])
    assert [plugin["name"] for plugin in plugins].count("cape") == 1


def test_its_options_are_described_and_have_the_defaults_that_the_metadata_says(said: dict[str, str]) -> None:
    listed = said["config list --section cape --include-descriptions"]
    for name, option in INFO["config"]["cape"]["options"].items():
        assert f"# {option['description']}" in listed
        assert said[f"config get-value cape {name}"].strip() == option["default"]
    assert INFO["config"]["cape"]["description"] in listed


def test_no_deprecated_method_of_a_form_is_in_the_hook() -> None:
    from cape_airflow.hooks.cape import CapeHook

    deprecated = {"get_connection_form_widgets", "get_ui_field_behaviour"}
    assert not deprecated & set(vars(CapeHook))
