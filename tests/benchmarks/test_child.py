from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def answers(repository: Path, requests: str, task: str, **arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status of a child, and what it answers."""
    order = {"task": task, "arguments": arguments, "cores": 1}
    command = [sys.executable, "-m", "benchmarks.child", json.dumps(order)]
    done = subprocess.run(command, cwd=repository, input=requests, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_child_does_a_measured_round_for_each_line(repository: Path, tmp_path: Path) -> None:
    target = tmp_path / "customers.parquet"
    status, [ready, *rounds] = answers(repository, "\n\n", "customers:write_parquet", target=str(target), rows=10)
    assert (status, ready, len(rounds)) == (0, {"ready": True}, 2)
    assert all(each["cpu"] > 0 and each["seconds"] > 0 and each["peak"] > 1_000_000 for each in rounds)
    [_, counted] = answers(repository, "\n", "copies:footer", path=str(target))[1]
    assert counted["result"] == {"bytes": target.stat().st_size, "rows": 10, "groups": 1}


def test_a_child_that_fails_says_why(repository: Path, tmp_path: Path) -> None:
    status, [ready, failure] = answers(repository, "\n", "copies:footer", path=str(tmp_path / "absent"))
    assert status == 1
    assert ready == {"ready": True}
    assert failure["error"].startswith("FileNotFoundError: ")
