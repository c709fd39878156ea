from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from cape_airflow import __version__
from cape_airflow.cli import main


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _commands(below, (*path, name))


EVERY_COMMAND = list(_commands(main))


@pytest.mark.parametrize(("path", "command"), EVERY_COMMAND, ids=[" ".join(path) for path, _ in EVERY_COMMAND])
def test_every_command_explains_itself(path, command):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert command.help


def test_every_option_has_an_environment_variable_of_its_own():
    names = {}
    for _, command in EVERY_COMMAND:
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in ("version", "help"):
                assert str(option.envvar).startswith("CAPE_")
                names.setdefault(option.envvar, set()).add(id(option))
    shared = {name for name, options in names.items() if len(options) > 1}
    assert shared <= {"CAPE_HOME"}


def test_the_old_verbs_are_the_new_commands():
    commands = dict(EVERY_COMMAND)
    for old, new in {
        "list-suggestions": "list",
        "get-suggestion": "get",
        "approve": "approve",
        "create": "create",
    }.items():
        assert commands["projects", "policy", old] is commands["policy", old] is commands["suggestions", new]
    assert commands["projects", "contributors", "add"] is commands["contributors", "add"]


def test_help_starts_without_anything_heavy():
    code = (
        "import sys; from cape_airflow.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('airflow', 'pyarrow', 'pydantic', 'requests', 'httpx', 'rich', 'fastapi', 'yaml')"
        " if name in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr.strip() == "[]"
    assert "De-identify" in run.stdout


def test_an_environment_variable_stands_for_an_option(policy_file, somebody):
    schema = policy_file.with_name("schema.json")
    schema.write_text('{"email": "string", "age": "int64"}')
    result = somebody("policy", "plan", policy_file, CAPE_POLICY_PLAN_SCHEMA=str(schema))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("arguments", [["version"], ["--version"], ["-v"]])
def test_the_version_is_printed(somebody, arguments):
    assert somebody.ok(*arguments).strip() == __version__


def test_the_real_program_ends_with_1_and_one_sentence():
    command = [sys.executable, "-m", "cape_airflow.cli", "projects", "list"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines() == [
        "Error: not logged in; run: cape login --url https://HOST (or set CAPE_URL and CAPE_TOKEN)"
    ]
