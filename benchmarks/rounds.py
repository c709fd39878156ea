"""Contenders take turns, round by round, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.environments import OURS, Unavailable
from benchmarks.options import Options
from benchmarks.processes import Answer, Ask, Contender, process


@dataclass
class Measured:
    """What came out: medians over the rounds; or, if it could not be measured, the reason.

    Args:
        contender: what was measured.
        rounds: as the child answered them.
        missing: why there are none.
    """

    contender: Contender
    rounds: list[Answer] = field(default_factory=list)
    missing: str = ""

    def median(self, what: str) -> float:
        """Return the median of `cpu` or `seconds`.

        Raises:
            Unavailable: it was not measured.
        """
        return float(statistics.median(answer[what] for answer in self._answers()))

    def per_row(self, what: str) -> float:
        """Return the median of `cpu` or `seconds` per row, in seconds."""
        return self.median(what) / self.contender.rows

    @property
    def peak(self) -> float:
        """Most bytes of memory, of all rounds.

        Raises:
            Unavailable: it was not measured.
        """
        return float(max(answer["peak"] for answer in self._answers()))

    def _answers(self) -> list[Answer]:
        if self.missing or not self.rounds:
            raise Unavailable(f"{self.contender.name}: {self.missing}")
        return self.rounds


def ratio(one: Measured, other: Measured, what: str = "cpu") -> float:
    """Return how many times as much one takes per row as the other.

    Raises:
        Unavailable: one of them was not measured.
    """
    return one.per_row(what) / other.per_row(what)


def interleaved(
    contenders: Sequence[Contender], options: Options, after: Callable[[Contender], None] = lambda _: None
) -> list[Measured]:
    """Measure all of them in turns. One that fails is left out of what follows, and says why.

    Args:
        contenders: in the order of their turns.
        options: how many rounds, and whether peers take part.
        after: called after each turn, outside of what is measured; may raise Unavailable.
    """
    outcomes = [Measured(contender) for contender in contenders]
    with ExitStack() as stack:
        started = [(outcome, _started(outcome, stack, options)) for outcome in outcomes]
        for _ in range(options.rounds):
            for outcome, ask in started:
                if ask and not outcome.missing:
                    _take_turn(outcome, ask, after)
    return outcomes


def _started(outcome: Measured, stack: ExitStack, options: Options) -> Ask | None:
    try:
        if outcome.contender.environment != OURS and not options.peers:
            raise Unavailable("left out")
        return stack.enter_context(process(outcome.contender))
    except Unavailable as reason:
        outcome.missing = str(reason)
        return None


def _take_turn(outcome: Measured, ask: Ask, after: Callable[[Contender], None]) -> None:
    try:
        outcome.rounds.append(ask())
        after(outcome.contender)
    except (Unavailable, BrokenPipeError) as reason:
        outcome.missing = str(reason)
