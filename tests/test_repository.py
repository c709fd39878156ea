"""What holds for the repository as a whole: the size of its code, and that its documents tell the truth."""

from __future__ import annotations

import ast
import re
import shlex
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cape_airflow.cli import main
from cape_airflow.policy import load_policy
from cape_airflow.transformations import techniques

ROOT = Path(__file__).resolve().parent.parent
CODE = sorted((ROOT / "cape_airflow").rglob("*.py"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a module and their lines, without their docstrings."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            first = node.body[0]
            has_docstring = ast.get_docstring(node, clean=False) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
            yield f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1 - docstring


def blocks(document: str, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall((ROOT / document).read_text()) if kind == language]


def run(code: str, document: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, document, "exec"), names)  # noqa: S102 - our own document
    return names


def test_no_module_is_longer_than_400_lines_and_half_of_them_have_at_most_120():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in CODE}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert statistics.median(length for length in lengths.values() if length > 1) <= 120


def test_no_function_is_longer_than_60_lines_and_half_of_them_have_at_most_8():
    lengths = dict(pair for path in CODE for pair in functions(path))
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert statistics.median(lengths.values()) <= 8


def test_no_module_is_a_grab_bag():
    assert [path for path in CODE if path.stem in {"utils", "util", "common", "helpers", "helper", "misc"}] == []


def test_tests_mirror_the_package_folder_for_folder():
    rooms = {path.parent.relative_to(ROOT / "cape_airflow").parts[:1] for path in CODE}
    missing = [room[0] for room in sorted(rooms) if room and not (ROOT / "tests" / room[0]).is_dir()]
    assert missing == []


def test_every_link_in_the_documents_leads_to_a_file():
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in DOCUMENTS
        for link in LINK.findall(document.read_text())
        if not (document.parent / link).exists()
    ]
    assert broken == []


def test_every_test_that_the_documents_name_exists():
    named = {(document.name, *found) for document in DOCUMENTS for found in TEST_NAME.findall(document.read_text())}
    missing = [
        f"{document}: {path}::{name}"
        for document, path, name in sorted(named)
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]
    assert missing == []
    assert any(document == "SECURITY.md" for document, *_ in named)


def test_the_documents_name_no_machine_and_no_file_of_ours_alone():
    private = re.compile(r"/work/|/tmp/|/root/")
    texts = [*DOCUMENTS, *CODE, *sorted((ROOT / "examples").rglob("*.py")), *sorted((ROOT / "scripts").rglob("*"))]
    assert [str(path) for path in texts if path.is_file() and private.search(path.read_text())] == []


def test_every_technique_has_a_heading_in_the_docs():
    headings = set(re.findall(r"^#+ (\S+)$", (ROOT / "docs/transformations.md").read_text(), re.MULTILINE))
    assert set(techniques()) - headings == set()


@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.md"])
def test_policies_in_the_documents_are_policies(document):
    policies = [text for text in blocks(document, "yaml") if "rules:" in text]
    assert policies
    for text in policies:
        assert load_policy(text, document).rules


@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.md"])
def test_python_in_the_documents_runs_and_prints_what_they_say(document, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = [pair for pair in PYTHON.findall((ROOT / document).read_text()) if "airflow.sdk" not in pair[0]]
    assert found
    for code, printed in found:
        run(code, document)
        assert capsys.readouterr().out.split() == printed.split() != []


@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_commands_in_the_documents_exist(document):
    text = (ROOT / document).read_text()
    makefile = (ROOT / "Makefile").read_text()
    assert [
        target for target in re.findall(r"^\$ make (\w+)", text, re.MULTILINE) if f"\n{target}:" not in makefile
    ] == []
    for line in re.findall(r"^\$ cape (.*)$", text, re.MULTILINE):
        command, words = click.Context(main).command, shlex.split(line, comments=True)
        while isinstance(command, click.Group):
            name = words.pop(0)
            command = command.get_command(click.Context(command), name)
            assert command is not None, f"no command {name} in: cape {line}"
        command.make_parser(click.Context(command)).parse_args(words)


def test_the_dag_in_the_readme_waits_for_approval_before_it_transforms():
    [code] = [code for code in blocks("README.md", "python") if "airflow.sdk" in code]
    tasks = run(code, "README.md")
    assert tasks["deidentify"].upstream_task_ids == {tasks["approved"].task_id}
