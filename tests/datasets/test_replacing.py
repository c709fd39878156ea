"""An earlier output is there until the new one is, whatever happens to the process that replaces it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

# Forks, so that a child is at work at once; lets it publish over the earlier output again and again; kills it.
KILLS = """
import json, os, random, signal, sys, time
from pathlib import Path
import pyarrow
from cape_airflow.datasets import open_sink, open_source, staging

folder, target, disk = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
url = f"{folder}/{target}"

def cannot(one, other):
    raise NotImplementedError

if disk == "aside":
    staging.exchange = cannot

def write(value):
    rows = pyarrow.record_batch({"a": [value] * 1000})
    with open_sink(url, job_id="0123456789abcdef" * 2) as out:
        out.open(rows.schema)
        out.write(rows)
        out.commit()

def output():
    rows = [value for batch in open_source(url).batches() for value in batch["a"].to_pylist()]
    return set(rows), len(rows)

write(0)
choose = random.Random(7)
seen = {"leftovers": 0, "replaced": 0, "aside": 0}
for _ in range(20):
    started, told = os.pipe()
    child = os.fork()
    if child == 0:
        for value in range(1, 1_000_000):
            os.write(told, b"!")
            write(value)
        os._exit(1)
    begun = time.monotonic()
    outputs = choose.randint(1, 5)
    for _ in range(outputs):
        os.read(started, 1)
    # The moment of the kill, not a wait for anything: in the midst of an output, however fast the machine writes them.
    time.sleep(choose.uniform(0, (time.monotonic() - begun) / outputs))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(started), os.close(told)
    hidden = [path for path in folder.iterdir() if path.name.startswith(".")]
    seen["leftovers"] += bool(hidden)
    seen["aside"] += not (folder / target).exists()
    with open_sink(url, job_id="0123456789abcdef" * 2) as retry:  # looks, sweeps, and is never published
        if disk == "exchange":
            assert (folder / target).exists(), "the earlier output was gone for a moment"
        retry.open(pyarrow.schema([("a", pyarrow.int64())]))
    values, rows = output()
    assert len(values) == 1 and rows == 1000, "torn or lost"
    seen["replaced"] += values != {0}
    assert [path.name for path in folder.iterdir()] == [target.rstrip("/")]
    write(0)
print(json.dumps(seen))
"""


@pytest.mark.parametrize(("target", "disk"), [("out.parquet", "exchange"), ("out/", "exchange"), ("out/", "aside")])
def test_twenty_kills_while_an_output_is_replaced_lose_nothing(tmp_path: Path, target: str, disk: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", KILLS, tmp_path, target, disk], capture_output=True, text=True, check=False, timeout=300
    )
    assert (child.returncode, child.stderr) == (0, "")
    seen = json.loads(child.stdout)
    assert seen["leftovers"] >= 5  # the kills did hit attempts that were writing
    assert seen["replaced"] >= 5
