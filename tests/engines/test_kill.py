"""Output is complete or absent, whatever happens to the process (C1, C2)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cape_airflow import Plan

HERE = Path(__file__).parent
JOB = "0123456789abcdef" * 2

pytestmark = pytest.mark.integration

# What every child does: one run of the plan, from in.parquet to the target. Keys as in conftest.py.
RUN = """
import json, os, random, shutil, signal, sys, time
from pathlib import Path
import pyarrow
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import run_local
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.policy import Plan

class OneKey:
    def get(self, name): return Key(name, {1: Secret(bytes(range(64)))})
    def names(self): return ()

folder, target = Path(sys.argv[1]), sys.argv[2]
plan = Plan.from_dict(json.loads((folder / "plan.json").read_text()))
def run():
    source = open_source(str(folder / "in.parquet"))
    sink = open_sink(f"{folder}/out/{target}", job_id="0123456789abcdef" * 2)
    run_local(plan, KeyRing(OneKey()), source, sink, job_id="0123456789abcdef" * 2, batch_rows=4096)
"""

# Forks, so that a child is at work at once; kills it at a random moment; looks; tries again to the end.
KILLS = (
    RUN
    + """
def output():
    path = folder / "out" / target.rstrip("/")
    if path.is_dir():
        return {each.name: each.read_bytes() for each in path.iterdir()}
    return path.read_bytes() if path.exists() else None

def spawn():
    child = os.fork()
    if child == 0:
        try:
            run()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child

def finished():
    started = time.monotonic()
    assert os.waitpid(spawn(), 0)[1] == 0
    seconds = time.monotonic() - started
    result = output()
    assert [path.name for path in (folder / "out").iterdir()] == [target.rstrip("/")]
    shutil.rmtree(folder / "out")
    return result, seconds

(folder / "out").mkdir()
reference, seconds = finished()
seen = {"complete": 0, "absent": 0, "leftovers": 0}
choose = random.Random(int(sys.argv[3]))
for _ in range(int(sys.argv[4])):
    (folder / "out").mkdir()
    child = spawn()
    time.sleep(choose.uniform(0, seconds))  # the moment of the kill, not a wait for anything
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = output()
    assert found is None or found == reference, "torn"
    seen["absent" if found is None else "complete"] += 1
    seen["leftovers"] += len([path for path in (folder / "out").iterdir() if path.name.startswith(".")])
    again, seconds = finished()  # the machine may be busier or idler than before
    assert again == reference, "the retry differs"
print(json.dumps(seen))
"""
)


@pytest.fixture
def work(tmp_path: Path, plan: Plan, customers) -> Path:
    """A folder with the plan and 60,000 customers."""
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_dict()))
    pq.write_table(customers(60_000), tmp_path / "in.parquet", row_group_size=10_000)
    return tmp_path


def start(code: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


@pytest.mark.parametrize("target", ["out.parquet", "out/"])
def test_C1_fifty_kills_leave_a_complete_output_or_none_and_the_retry_is_equal(work: Path, target: str) -> None:
    child = start(KILLS, work, target, 11, 50)
    assert (child.returncode, child.stderr) == (0, "")
    seen = json.loads(child.stdout)
    assert seen["absent"] + seen["complete"] == 50
    assert seen["absent"] >= 20
    assert seen["leftovers"] >= 10  # the kills did hit runs that were writing


LIMITED = (
    """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
"""
    + RUN
    + """
run()
"""
)


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.jsonl", "out.arrow", "out/"])
def test_C2_a_file_that_cannot_grow_leaves_nothing(work: Path, target: str) -> None:
    child = start(LIMITED, work, target)
    assert child.returncode == 1
    assert "DatasetError: cannot write" in child.stderr
    assert "File too large" in child.stderr
    assert "Traceback" in child.stderr
    assert "During handling" not in child.stderr
    assert list((work / "out").iterdir()) == []


def can_trace() -> bool:
    return shutil.which("strace") is not None and start("pass", before=("strace", "-o", "/dev/null")).returncode == 0


@pytest.mark.parametrize(
    ("target", "call", "nth"),
    [
        ("out.parquet", "fchmod", 1),
        ("out.parquet", "fsync", 1),
        ("out.parquet", "chmod", 1),
        ("out.parquet", "rename", 1),
        ("out/", "mkdir", 2),
        ("out/", "fsync", 1),
        ("out/", "fsync", 3),
        ("out/", "chmod", 2),
        ("out/", "rename", 1),
    ],
)
def test_C2_an_error_of_the_disk_fails_the_run_and_leaves_nothing(work: Path, target: str, call: str, nth: int) -> None:
    if not can_trace():
        pytest.skip("no strace on this machine, or tracing is not allowed")
    inject = f"inject={call}:error={'EIO' if nth == 1 else 'ENOSPC'}:when={nth}"
    child = start(RUN + "run()", work, target, before=("strace", "-f", "-o", str(work / "trace"), "-e", inject))
    assert "(INJECTED)" in (work / "trace").read_text()
    assert child.returncode == 1
    assert "DatasetError: cannot write" in child.stderr
    assert list((work / "out").iterdir()) == []
