"""Instructions per value of the loops over values: the same on a busy machine as on an idle one.

    python -m benchmarks.instructions           # count, and say what differs from `instructions.json`
    python -m benchmarks.instructions --write   # count, and write that file anew

Counted by valgrind, in one process for all of `benchmarks.counted`. It knows AES-NI and AVX2 and neither AVX-512, VAES
nor the SHA instructions; so the paths for those are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RECORDED = Path(__file__).with_suffix(".json")
TOLERANCE = 0.05  # two runs differ by a thousandth
SLACK = 1.0  # instructions per value, for those that take next to none

SMALL, LARGE = 2048, 10_240  # rows; multiples of every group and window, so that only values make the difference
MARK = "getppid"  # a function of libc that nobody else calls

COUNTED = """
import sys

class WithoutPandas:  # which Arrow imports if it can, and which takes longer than all else
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ImportError("left out")

sys.meta_path.insert(0, WithoutPandas())
from benchmarks.counted import main
main()
"""

ALONE = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "CAPE_KERNELS": "native",
    "CAPE_NATIVE_ISA": "avx2",
}


class Count(NamedTuple):
    """What was counted, and what may explain a difference: versions."""

    per_value: dict[str, float]
    made_with: dict[str, str]


def count() -> Count:
    """Run everything under valgrind, which takes about a minute.

    Raises:
        subprocess.CalledProcessError: something failed; its output says what.
        FileNotFoundError: there is no valgrind.
    """
    with tempfile.TemporaryDirectory() as folder:
        dumps = Path(folder) / "dump"
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={dumps}"]
        child = subprocess.run(
            [*valgrind, sys.executable, "-c", COUNTED],
            cwd=ROOT, env=os.environ | ALONE, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        names = child.stdout.splitlines()
        return Count(dict(zip(names, _per_value(dumps, len(names)), strict=True)), _versions())


def _per_value(dumps: Path, tasks: int) -> Iterator[float]:
    """Yield the instructions per value of each task, which marks its start, its middle and its end."""
    for task in range(tasks):
        small, large = (_total(dumps.with_suffix(f".{3 * task + mark}")) for mark in (2, 3))
        yield float(f"{(large - small) / (LARGE - SMALL):.3g}")  # the fourth digit differs from run to run


def _total(dump: Path) -> int:
    [total] = re.findall(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
    return int(total)


def _versions() -> dict[str, str]:
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)  # noqa: S607
    return {
        "machine": platform.machine(),
        "valgrind": valgrind.stdout.strip(),
        "native kernels": _compiler(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("cryptography", "numpy", "pyarrow")},
    }


def _compiler() -> str:
    """Return what the native kernels say that they were compiled with."""
    from cape_airflow.kernels import _native

    [compiler] = set(re.findall(rb"rustc version [ -~]+", Path(str(_native.__file__)).read_bytes()))
    return str(compiler, "ascii")


def changes(counted: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """Return a line for each task that takes more instructions than it did, or fewer, or is on one side only."""
    return [
        f"{name}: {before or 'not'} recorded, {now or 'not'} counted"
        for name in sorted({*counted, *recorded})
        for before, now in [(recorded.get(name, 0.0), counted.get(name, 0.0))]
        if abs(now - before) > max(TOLERANCE * before, SLACK) or (name in counted) != (name in recorded)
    ]


def recorded() -> Count:
    """Return what was counted when the file was written."""
    return Count(**json.loads(RECORDED.read_text()))


def main() -> int:
    """Count; write the file, or compare with it: exit status 1 where something changed."""
    parser = argparse.ArgumentParser(description="Instructions per value of the loops over values.")
    parser.add_argument("--write", action="store_true", help=f"write {RECORDED.name} anew")
    arguments = parser.parse_args()
    now = count()
    for name, instructions in now.per_value.items():
        print(f"{name:45}{instructions:10,.1f}")
    if arguments.write:
        RECORDED.write_text(json.dumps(now._asdict(), indent=2) + "\n")
        return 0
    changed = changes(now.per_value, recorded().per_value)
    print(*changed, sep="\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
