"""Ten wrong policies and ten wrong inputs: what a user sees. `docs/errors.md` is made of these tests (`make docs`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import run_local
from cape_airflow.errors import CapeError
from cape_airflow.keys import KeyRing
from cape_airflow.policy import compile_plan, load_policy

CANARY = "canary-4711"
GOOD = """\
version: 2
rules:
  - match: {name: name}
    actions: [drop]
  - match: {name: age}
    actions:
      - transform: {type: round, precision: -1}
  - match: {name: city}
    keep: {reason: coarse}
"""
PEOPLE = {"name": [CANARY, "Bo"], "age": [34, 57], "city": ["Kyoto", "Lima"]}


@dataclass(frozen=True)
class Case:
    """One mistake.

    Args:
        title: what somebody did.
        policy: the text that they ran.
        write: writes the input into a folder and returns its path; None for the good one.
        advice: how to go on, where the message alone might not say it.
    """

    title: str
    policy: str = GOOD
    write: Callable[[Path], Path] | None = None
    advice: str = ""


def _parquet(folder: Path, **columns: object) -> Path:
    path = folder / "people.parquet"
    pq.write_table(pa.table({**PEOPLE, **columns}), path)
    return path


def _rules(*rules: str) -> str:
    return "version: 2\ndefault: keep\nrules:\n" + "".join(f"  - {rule}\n" for rule in rules)


def _transform(column: str, transform: str) -> str:
    return _rules(f"match: {{name: {column}}}\n    actions:\n      - transform: {{{transform}}}")


POLICIES = (
    Case("A column name is misspelt", GOOD.replace("name: name}", "name: nmae}")),
    Case("A column is covered by no rule", GOOD.replace("  - match: {name: city}\n    keep: {reason: coarse}\n", "")),
    Case("A technique is misspelt", _transform("age", "type: ruond, precision: -1")),
    Case("A parameter is misspelt", _transform("age", "type: round, precison: -1")),
    Case("A technique cannot take the type of the column", _transform("name", "type: round, precision: -1")),
    Case("Two rules are about one column", GOOD + "  - match: {name: age}\n    actions: [drop]\n"),
    Case("A key stands in the policy", _transform("name", "type: keyed-hash, key: my secret")),
    Case("A key is named that nobody has", _transform("name", "type: keyed-hash, key: {ref: customer-id}")),
    Case(
        "A name stands twice, and a reader would see only one",
        GOOD.replace("    actions: [drop]\n", "    actions: [drop]\n    actions: []\n"),
    ),
    Case(
        "A row condition does more than compare",
        _rules('where: "age < (select avg(age) from people)"\n    actions: [suppress-record]'),
    ),
)

INPUTS = (
    Case("The file is not there", write=lambda folder: folder / "people.parquet"),
    Case(
        "The file is not what its name says", write=lambda folder: _text(folder / "people.parquet", "name,age,city\n")
    ),
    Case("The file is cut off", write=lambda folder: _cut(_parquet(folder))),
    Case("A new column has appeared", write=lambda folder: _parquet(folder, phone=[CANARY, "2"])),
    Case("A column has another type than before", write=lambda folder: _parquet(folder, age=["34", CANARY])),
    Case(
        "A column of a CSV changes its type half-way",
        write=lambda folder: _late_text(folder / "people.csv"),
        advice='Say what the column is: `source_options={"column_types": {"age": "string"}}`.',
    ),
    Case(
        "A value cannot be rounded into the type of its column",
        _transform("age", "type: numeric-rounding, dtype: Byte, precision: -1").replace(
            "version: 2\ndefault: keep\n", ""
        ),
        write=lambda folder: _parquet(folder, age=[34, 4711]),
    ),
    Case(
        "A token to be revealed was changed",
        _transform("name", "type: reveal, key: {ref: demo}"),
        write=_parquet,
        advice="Somebody or something altered these tokens, or they were made with another key or domain.",
    ),
    Case(
        "Groups are smaller than the policy guarantees",
        GOOD + "guarantees:\n  - {type: k-anonymity, k: 2, quasi_identifiers: [age, city]}\n",
    ),
    Case("The output would replace the input", write=lambda folder: _parquet(folder).rename(folder / "output.parquet")),
)


def _text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-20])
    return path


def _late_text(path: Path) -> Path:
    rows = 200_000  # 20 MB: types are inferred from the first block
    ages = ["34"] * (rows - 1) + [CANARY]
    pacsv.write_csv(pa.table({"name": ["x" * 100] * rows, "age": ages, "city": ["y"] * rows}), path)
    return path


class _DemoKey:
    def get(self, name: str) -> object:
        from cape_airflow.keys import Key, Secret

        return Key(name, {1: Secret(secrets.token_bytes(32))}) if name == "demo" else None

    def names(self) -> tuple[str, ...]:
        return ("customer-ids", "demo")


def _run(text: str, source_path: Path, target: Path) -> None:
    policy = load_policy(text, "policy.yaml")
    source = open_source(str(source_path))
    plan = compile_plan(policy, source.schema)
    keys = KeyRing(policy.inline_keys(), _DemoKey())  # type: ignore[arg-type] - a provider of this test
    run_local(plan, keys, source, open_sink(str(target), job_id="0" * 32), job_id="0" * 32)


def message(case: Case) -> str:
    """Run the case as `cape apply` does, and return the message, with the folder's name taken out."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        source_path = (case.write or _parquet)(folder)
        before = sorted(folder.iterdir())
        with pytest.raises(CapeError) as caught:
            _run(case.policy, source_path, folder / "output.parquet")
        assert sorted(folder.iterdir()) == before, "something was written"
        return f"{type(caught.value).__name__}: {caught.value}".replace(f"{name}/", "")


def page() -> str:
    """Return the text of docs/errors.md."""
    lines = [
        "# What goes wrong, and what you see",
        "",
        "Made by `make docs` from `tests/test_errors_page.py`, which provokes each of these. Nothing is written in",
        "any of them: no part of an output, no temporary file. A message names the place, the column, the rule, counts",
        "and the way out; it never shows a value or a key.",
    ]
    for heading, cases in (("Wrong policies", POLICIES), ("Wrong inputs", INPUTS)):
        lines += ["", f"## {heading}"]
        for case in cases:
            lines += ["", f"### {case.title}", "", "```", message(case), "```"]
            lines += ["", case.advice] if case.advice else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", [*POLICIES, *INPUTS], ids=lambda case: case.title)
def test_a_mistake_gives_a_message_without_values_and_nothing_is_written(case: Case) -> None:
    text = message(case)
    assert CANARY not in text
    assert "my secret" not in text
    assert len(text) > 40


def test_s3_no_value_hides_in_the_chain_of_causes() -> None:
    for case in INPUTS:
        with TemporaryDirectory() as name:
            folder = Path(name)
            source_path = (case.write or _parquet)(folder)
            with pytest.raises(CapeError) as caught:
                _run(case.policy, source_path, folder / "output.parquet")
        error: BaseException | None = caught.value
        while error is not None:
            assert CANARY not in repr(error)
            error = error.__cause__ or error.__context__


def test_the_page_is_current(repository: Path) -> None:
    assert (repository / "docs" / "errors.md").read_text() == page(), "run: make docs"


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "errors.md").write_text(page())
