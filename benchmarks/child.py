"""One contender in a process of its own: it prepares its work, then does a round for each line that comes in.

`python -m benchmarks.child '{"task": "copies:with_pyarrow", "arguments": {...}, "cores": 1}'`. Answers are lines of
JSON; whatever a library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, TextIO

KILOBYTE = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, see getrusage(2)

Round = Callable[[], Any]


def use(cores: int) -> None:
    """Stay on that many cores, where the system can do that; before libraries count them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])


def measured(work: Round) -> dict[str, Any]:
    """Do a round; return its seconds, CPU seconds of all threads, result, and the process' peak of bytes so far."""
    started, spent = time.perf_counter(), time.process_time()
    result = work()
    cpu, seconds = time.process_time() - spent, time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE
    return {"seconds": seconds, "cpu": cpu, "peak": peak, "result": result}


def serve(order: dict[str, Any], answers: TextIO) -> None:
    """Prepare, say so, and do rounds until there is no more input."""

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    use(order["cores"])
    module, _, function = order["task"].partition(":")
    work = getattr(import_module(f"benchmarks.contenders.{module}"), function)(**order["arguments"])
    answer({"ready": True})
    for _ in sys.stdin:
        answer(measured(work))


def main() -> None:
    """Serve; the first error ends it and is told."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        serve(json.loads(sys.argv[1]), answers)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        raise


if __name__ == "__main__":
    main()
