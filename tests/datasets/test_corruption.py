"""Broken files (C8): an error of ours or a result, never a crash of the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Runs in a process of its own, since what is tested is that the process survives.
CHILD = """
import datetime, random, sys
import pyarrow as pa
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.errors import DataError

folder, suffix, mutants, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
choose = random.Random(seed)
table = pa.table({
    "text": [f"name {n}" if n % 7 else None for n in range(500)],
    "number": pa.array(range(500), pa.int64()),
    "real": [n / 3 for n in range(500)],
    "day": [datetime.date(2026, 1, 1)] * 500,
    "kind": pa.array(["a", "b", "c", "d", None] * 100).dictionary_encode(),
})
with open_sink(f"{folder}/whole.{suffix}", job_id="a") as sink:
    sink.open(table.schema)
    for batch in table.to_batches(max_chunksize=100):
        sink.write(batch)
    sink.commit()
whole = open(f"{folder}/whole.{suffix}", "rb").read()
refused = 0
for _ in range(mutants):
    broken = bytearray(whole)
    for _ in range(choose.randint(1, 8)):
        broken[choose.randrange(len(broken))] = choose.randrange(256)
    if choose.random() < 0.2:
        del broken[choose.randrange(len(broken)):]
    with open(f"{folder}/broken.{suffix}", "wb") as file:
        file.write(broken)
    try:
        for batch in open_source(f"{folder}/broken.{suffix}").batches():
            batch.validate(full=True) if suffix == "arrow" else None
            [column.filter(column.is_valid()) for column in batch.columns]
    except DataError:
        refused += 1
print(refused)
"""


def survive(folder: Path, suffix: str, mutants: int, seed: int) -> int:
    command = [sys.executable, "-c", CHILD, str(folder), suffix, str(mutants), str(seed)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr[-2000:]) == (0, "")
    return int(child.stdout)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
def test_C8_broken_files_give_errors_of_ours(tmp_path: Path, suffix: str) -> None:
    assert survive(tmp_path, suffix, 150, 1) > 10


@pytest.mark.integration
@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
def test_C8_thousands_of_broken_files_give_errors_of_ours(tmp_path: Path, suffix: str) -> None:
    assert survive(tmp_path, suffix, 3000, 2) > 300
