from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from pkgutil import iter_modules, resolve_name
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink, BaseSensorOperator
from airflow.triggers.base import BaseTrigger

from cape_airflow.provider_info import get_provider_info

INFO = get_provider_info()
CLASSES = [
    *(connection["hook-class-name"] for connection in INFO["connection-types"]),
    *(plugin["plugin-class"] for plugin in INFO["plugins"]),
    *INFO["extra-links"],
    *INFO["notifications"],
]
MODULES = [
    module
    for kind in ("hooks", "operators", "sensors", "triggers")
    for entry in INFO[kind]
    for module in entry["python-modules"]
]


def _schema(name: str) -> dict[str, Any]:
    return json.loads(Path(airflow.__file__).with_name(name).read_text())


def test_the_metadata_fits_the_schema_that_airflow_checks_at_run_time() -> None:
    jsonschema.validate(INFO, _schema("provider_info.schema.json"))


def test_the_metadata_fits_the_stricter_schema_of_provider_files() -> None:
    # What a provider inside Airflow's own repository must say besides, of no meaning to us.
    release = {"state": "ready", "source-date-epoch": 0, "versions": ["0.1.0"]}
    schema = _schema("provider.yaml.schema.json")
    known = {**INFO, "hooks": [*INFO["hooks"]], **release}
    jsonschema.validate(known, schema)


def test_the_package_name_is_that_of_the_distribution() -> None:
    assert metadata.distribution("cape-airflow").metadata["Name"] == INFO["package-name"]


@pytest.mark.parametrize("path", CLASSES)
def test_every_class_that_is_named_can_be_imported(path: str) -> None:
    assert isinstance(resolve_name(path), type)


def test_every_decorator_that_is_named_can_be_imported() -> None:
    assert {each["name"]: callable(resolve_name(each["class-name"])) for each in INFO["task-decorators"]} == {
        "cape_transform": True
    }


def _classes(package: str, base: type) -> list[type]:
    """Return the public classes of a kind that the modules of a package define."""
    modules = [import_module(found.name) for found in iter_modules(import_module(package).__path__, f"{package}.")]
    found = [vars(module).values() for module in modules]
    classes = [each for names in found for each in names if isinstance(each, type) and issubclass(each, base)]
    return [each for each in classes if each.__module__.startswith(package) and each.__name__.startswith("Cape")]


@pytest.mark.parametrize(
    ("kind", "base"),
    [("hooks", BaseHook), ("operators", BaseOperator), ("sensors", BaseSensorOperator), ("triggers", BaseTrigger)],
)
def test_every_module_with_a_class_for_dag_authors_is_named(kind: str, base: type) -> None:
    [entry] = INFO[kind]
    found = {each.__module__ for each in _classes(f"cape_airflow.{kind}", base)}
    assert found == set(entry["python-modules"])


@pytest.mark.parametrize(
    ("key", "packages", "base"),
    [
        ("extra-links", ("cape_airflow.links",), BaseOperatorLink),
        ("notifications", ("cape_airflow.notifications",), BaseNotifier),
    ],
)
def test_every_link_and_notifier_is_named(key: str, packages: tuple[str, ...], base: type) -> None:
    found = {f"{each.__module__}.{each.__name__}" for package in packages for each in _classes(package, base)}
    assert found <= set(INFO[key])
    assert found


@pytest.mark.parametrize("module", MODULES)
def test_every_module_that_is_named_can_be_imported(module: str) -> None:
    assert import_module(module).__doc__


def test_both_entry_points_lead_to_what_the_metadata_names() -> None:
    entry_points = metadata.distribution("cape-airflow").entry_points
    [provider] = entry_points.select(group="apache_airflow_provider")
    [plugin] = entry_points.select(group="airflow.plugins")
    assert provider.load() is get_provider_info
    assert f"{plugin.module}.{plugin.attr}" == INFO["plugins"][0]["plugin-class"]


def test_discovery_imports_neither_airflow_nor_anything_heavy() -> None:
    script = (
        "import sys; from cape_airflow.provider_info import get_provider_info; get_provider_info();"
        "print(*sorted({'airflow', 'pyarrow', 'fastapi', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_what_airflow_imports_in_all_its_processes_is_light() -> None:
    # A plugin is imported by the scheduler, the triggerer and each task; the other modules where DAG files are parsed.
    paths = [path.rpartition(".")[0] for path in CLASSES] + MODULES + ["cape_airflow.decorators.transform"]
    heavy = {
        "fastapi",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "pyspark",
        "sqlglot",
        "sqlalchemy",
        "adbc_driver_manager",
    }
    script = (
        "import sys, json; from importlib import import_module\n"
        "import airflow.sdk, airflow.plugins_manager, airflow.sdk.bases.decorator, airflow.triggers.base\n"
        "before = set(sys.modules)\n"
        f"[import_module(path) for path in {sorted(set(paths))}]\n"
        f"print(*sorted({heavy | {'cape_airflow.coordinator', 'cape_airflow.engines'}} & set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""  # the lines before are Airflow's


def test_no_extra_field_of_the_connection_is_a_secret() -> None:
    # Airflow shows extras in clear unless their name looks secret: the token belongs in the password.
    [connection] = INFO["connection-types"]
    assert connection["ui-field-behaviour"]["relabeling"]["password"] == "API token"
    assert not any(field["schema"].get("format") == "password" for field in connection["conn-fields"].values())


def test_every_field_of_the_connection_form_has_a_label_and_help_and_the_standard_ones_show_what_to_write() -> None:
    [connection] = INFO["connection-types"]
    assert all(field["label"] and field["description"].endswith(".") for field in connection["conn-fields"].values())
    assert set(connection["ui-field-behaviour"]["placeholders"]) >= {"host", "port", "password"}


def test_port_is_a_field_of_its_own_because_the_test_button_of_airflow_3_3_2_needs_it() -> None:
    [connection] = INFO["connection-types"]
    assert not {"host", "port"} & set(connection["ui-field-behaviour"]["hidden-fields"])


def test_the_fields_of_the_form_are_the_extras_that_the_hook_reads() -> None:
    from cape_airflow.hooks.address import ConnectionExtras

    [connection] = INFO["connection-types"]
    assert set(connection["conn-fields"]) == set(ConnectionExtras.model_fields)


def test_the_options_of_the_config_section_are_those_that_the_settings_read() -> None:
    from cape_airflow.hooks import settings

    assert set(INFO["config"]["cape"]["options"]) == {"deployment", "embedded", "home", "outbox", "pages_url"}
    assert settings.embedded() is True
    assert settings.outbox_folder() == settings.home() / "outbox"


def test_airflow_finds_the_connection_type() -> None:
    managers = pytest.importorskip("airflow.sdk.providers_manager_runtime", reason="Airflow 3.1 has another one")
    hook = managers.ProvidersManagerTaskRuntime().hooks["cape"]
    assert hook is not None
    assert (hook.hook_name, hook.connection_id_attribute_name) == ("Cape coordinator", "cape_conn_id")
    assert hook.connection_testable
