"""The loops over values take as many instructions as they did, whatever the load of the machine."""

from __future__ import annotations

import platform
import shutil
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests import needs

BENCHMARK = Path(__file__).parents[2] / "benchmarks/instructions.py"

_spec = spec_from_file_location("instructions", BENCHMARK)
assert _spec is not None
assert _spec.loader is not None
instructions = module_from_spec(_spec)
_spec.loader.exec_module(instructions)


@pytest.fixture
def countable() -> None:
    """What counting needs. Without it, the test is skipped on a developer's machine and fails in CI."""
    missing = [
        what
        for what, is_there in {
            "valgrind (Debian: apt-get install valgrind)": shutil.which("valgrind") is not None,
            "the native kernels": find_spec("cape_airflow.kernels._native") is not None,
            "x86-64, where the recorded counts are from": platform.machine() in {"x86_64", "AMD64"},
        }.items()
        if not is_there
    ]
    if missing:
        needs.missing(f"instructions cannot be counted here without {' and '.join(missing)}")


@pytest.mark.integration
@pytest.mark.usefixtures("countable")
def test_no_loop_takes_more_instructions_per_value_than_recorded_or_fewer() -> None:
    recorded, now = instructions.recorded(), instructions.count()
    assert instructions.changes(now.per_value, recorded.per_value) == [], (
        f"if that is meant, run `python -m benchmarks.instructions --write`; "
        f"recorded with {recorded.made_with}, counted with {now.made_with}"
    )


def test_a_tenth_more_or_fewer_instructions_are_noticed_of_every_loop() -> None:
    recorded = instructions.recorded().per_value
    for name, count in recorded.items():
        for other in (count * 1.1 + 2, count * 0.9 - 2):
            assert instructions.changes(recorded | {name: other}, recorded) == [
                f"{name}: {count} recorded, {other} counted"
            ]


def test_what_differs_from_run_to_run_is_no_change() -> None:
    recorded = instructions.recorded().per_value
    assert instructions.changes({name: count * 1.01 for name, count in recorded.items()}, recorded) == []
    assert instructions.changes({name: count + 0.5 for name, count in recorded.items()}, recorded) == []


def test_a_loop_without_a_record_and_a_record_without_a_loop_are_noticed() -> None:
    assert instructions.changes({"new": 7.0}, {}) == ["new: not recorded, 7.0 counted"]
    assert instructions.changes({}, {"old": 0.5}) == ["old: 0.5 recorded, not counted"]


def test_every_loop_of_the_kernels_is_recorded_on_both_implementations_of_aes() -> None:
    recorded = set(instructions.recorded().per_value)
    loops = ("AES-SIV encrypt", "AES-SIV decrypt", "FF1 encrypt", "FF1 decrypt", "keyed words")
    assert {f"{loop}, {of}" for loop in loops for of in ("native", "twin")} <= recorded
    assert {f"HMAC-SHA-256, {isa}" for isa in ("avx2", "portable")} <= recorded
    assert {"the whole policy", "add-noise"} <= recorded
