"""What `pip install` gives: the wheel's contents, and a bare environment that works without any extra."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def wheel(repository, tmp_path_factory) -> Path:
    """The wheel, built as pip builds it."""
    builder, sources = tmp_path_factory.mktemp("builder"), tmp_path_factory.mktemp("sources")
    for name in ("cape_airflow", "rust"):  # a copy, so that no old build/ gets in
        shutil.copytree(repository / name, sources / name, ignore=shutil.ignore_patterns("*.pyc", "*.so", "target"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(repository / name, sources)
    venv.create(builder, with_pip=True)
    command = [builder / "bin/python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", builder, sources]
    subprocess.run(command, check=True)
    [built] = builder.glob("cape_airflow-*.whl")
    return built


@pytest.mark.integration
def test_the_wheel_holds_every_module_the_migrations_and_the_type_marker_and_no_tests(repository, wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = repository / "cape_airflow"
    wanted = {
        str(path.relative_to(repository))
        for path in package.rglob("*")
        if path.suffix in {".py", ".typed", ".mako", ".ini", ".yaml"} and "__pycache__" not in path.parts
    }
    assert wanted - inside == set()
    assert "cape_airflow/py.typed" in inside
    assert any("migrations" in name for name in inside)
    assert {name.split("/")[0] for name in inside if ".dist-info" not in name} == {"cape_airflow"}


@pytest.mark.integration
def test_a_bare_install_runs_a_policy_from_the_command_line(repository, wheel, tmp_path, outside_environment):
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv/bin"
    subprocess.run([binaries / "python", "-m", "pip", "install", "--quiet", wheel], check=True)
    (tmp_path / "people.csv").write_text("name,salary\nAda,41250.0\nGrace,67800.0\n")
    (tmp_path / "policy.yaml").write_text(
        "version: 2\n"
        "rules:\n"
        "  - match: {name: name}\n"
        "    actions: [transform: {type: character-mask, keep_first: 1}]\n"
        "  - match: {name: salary}\n"
        "    actions: [transform: {type: round, precision: -3}]\n"
    )
    command = [binaries / "cape", "apply", "policy.yaml", "people.csv", "out.csv"]
    subprocess.run(command, cwd=tmp_path, env=outside_environment, check=True)
    assert (tmp_path / "out.csv").read_text().replace('"', "").split() == ["name,salary", "A**,41000", "G****,68000"]


def test_the_lock_file_names_public_registries_only(repository):
    lock = tomllib.loads((repository / "uv.lock").read_text())
    registries = {package["source"].get("registry") for package in lock["package"]} - {None}
    hosts = {wheel["url"].split("/")[2] for package in lock["package"] for wheel in package.get("wheels", ())}
    assert registries == {"https://pypi.org/simple"}
    assert hosts == {"files.pythonhosted.org"}


@pytest.mark.parametrize("module", ["cape_airflow", "cape_airflow.provider_info", "cape_airflow.cli"])
def test_discovery_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(sorted({{'airflow', 'fastapi', 'pandas', 'pyarrow'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
