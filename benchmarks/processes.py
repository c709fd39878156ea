"""Contenders, and the processes that they run in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, cast

from benchmarks.environments import OURS, ROOT, Unavailable, python_of

Answer = dict[str, Any]
Ask = Callable[[], Answer]


@dataclass(frozen=True)
class Contender:
    """Something to be measured.

    Args:
        name: in the report.
        task: `module:function` in `benchmarks.contenders`.
        arguments: of that function.
        rows: that one round does.
        environment: a name of `environments.REQUIREMENTS`, or our own.
        cores: that it may use.
        variables: of its environment.
    """

    name: str
    task: str
    arguments: Mapping[str, Any]
    rows: int
    environment: str = OURS
    cores: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def process(contender: Contender) -> Iterator[Ask]:
    """Start the process of a contender, and give the function that has it do one round (see `benchmarks.child`).

    Raises:
        Unavailable: there is no environment for it, it cannot prepare its work; or (the function) the round failed.
    """
    order = {"task": contender.task, "arguments": dict(contender.arguments), "cores": contender.cores}
    command = [str(python_of(contender.environment)), "-m", "benchmarks.child", json.dumps(order)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CAPE_")}
    variables = inherited | dict(contender.variables)
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        requests, answers = cast("IO[str]", child.stdin), cast("IO[str]", child.stdout)

        def ask() -> Answer:
            print("round", file=requests, flush=True)
            return _answer(answers)

        try:
            _answer(answers)  # it is ready
            yield ask
        finally:
            child.kill()


def once(task: str, **arguments: object) -> Any:
    """Return the result of one round of a task of ours.

    Raises:
        Unavailable: it failed.
    """
    with process(Contender(task, task, arguments, rows=1)) as ask:
        return ask()["result"]


def _answer(answers: IO[str]) -> Answer:
    line = answers.readline()
    if not line:
        raise Unavailable("its process ended")
    answer: Answer = json.loads(line)
    if "error" in answer:
        raise Unavailable(answer["error"])
    return answer
