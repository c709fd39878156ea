"""The table of review, exhaustively: every state of a small world that the table lets us reach keeps every promise.

The promises are in `reference_model`, said by history and without guards; and each guard is needed: without it, one is
broken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

import pytest

from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review import states
from cape_airflow.coordinator.review.states import TRANSITIONS, Act, Transition, decide
from cape_airflow.coordinator.store.models import SuggestionState
from tests.coordinator.review.reference_model import PEOPLE, World, forbidden, step

OWNERS = (("ann", "project-owner"), ("bob", "project-owner"), ("cid", "project-owner"))
WITH_AUDITOR = (("ann", "project-owner"), ("bob", "project-owner"), ("cid", "auditor"))
WORLDS = (
    World(quorum=(("project-owner", 1),), roles=OWNERS),
    World(quorum=(("project-owner", 2),), roles=OWNERS),
    World(quorum=(("project-owner", 1), ("auditor", 1)), roles=WITH_AUDITOR),
    World(quorum=(("auditor", 1),), roles=WITH_AUDITOR),
    World(quorum=(("project-owner", 1),), roles=OWNERS, names=True),
    World(quorum=(("project-owner", 1),), roles=OWNERS, owing=frozenset({"bob"})),
)
ACTS = [act for act in Act if act not in (Act.COMMENT, Act.SUPERSEDE, Act.REINSTATE)]
REVISIONS = 3


def around(world: World) -> Iterator[World]:
    """What can happen beside the suggestion: roles come and go, another policy is approved, a screen grows old."""
    role = (
        None
        if world.role("cid")
        else dict(next(first.roles for first in WORLDS if first.quorum == world.quorum))["cid"]
    )
    yield replace(world, roles=(*world.roles[:2], ("cid", role)))
    if world.others < 1:
        superseded = world.state is SuggestionState.APPROVED
        state = TRANSITIONS[Act.SUPERSEDE].becomes if superseded else world.state
        assert state is not None
        yield replace(world, force="other", others=world.others + 1, state=state)
    if world.revision > 1 and world.seen[1] == world.revision:
        yield replace(world, seen=(world.texts[-2], world.revision - 1))
    if world.seen[1] != world.revision:
        yield replace(world, seen=(world.text, world.revision))


def acts(world: World) -> Iterator[tuple[World, str]]:
    """Try everything; return the worlds that follow, and what is wrong with them."""
    for act, who in product(ACTS, PEOPLE):
        if act is Act.BREAK_GLASS and world.role(who) != "project-owner":  # the permission table
            continue
        if len(world.votes) + len(world.confirmations) >= 3 and act in (Act.APPROVE, Act.CONFIRM):
            continue
        wrong = forbidden(world, act, who)
        try:
            outcome = decide(act, world.facts(act, who))
        except Problem as problem:
            if not wrong:
                yield world, f"{act} is refused without need: {problem.code}"
            continue
        following = step(world, act, who)
        if following.state is not outcome.state:
            wrong = wrong or f"{act} leads to {outcome.state}, not to {following.state}"
        if act is Act.CONFIRM and following.reviewed != outcome.carried:
            wrong = wrong or "reviewed afterwards without the quorum, or not with it"
        yield following, wrong


def explore(*, until_broken: bool = False, worlds: tuple[World, ...] = WORLDS) -> tuple[int, list[str]]:
    """Walk through everything that can be reached; return how many worlds there are, and what is broken in them."""
    known, waiting = set(worlds), deque(worlds)
    broken: list[str] = []
    while waiting:
        world = waiting.popleft()
        for following, wrong in (*((other, "") for other in around(world)), *acts(world)):
            if wrong:
                broken.append(wrong)
                if until_broken:
                    return len(known), broken
                continue
            # What everybody said is in the sayings; the order of it does not matter.
            plain = replace(
                following,
                sayings=tuple(sorted(set(following.sayings), key=repr)),
                votes=tuple(sorted(set(following.votes), key=repr)),
                confirmations=tuple(sorted(set(following.confirmations), key=repr)),
            )
            if plain not in known:
                known.add(plain)
                if plain.revision < REVISIONS:
                    waiting.append(plain)
    return len(known), broken


def without(act: Act, guard: object) -> Mapping[Act, Transition]:
    """The table with one guard, one test of votes, or one restriction of states taken away."""
    transition = TRANSITIONS[act]
    if guard == "states":
        return {**TRANSITIONS, act: replace(transition, states=frozenset(SuggestionState))}
    if transition.counts and guard in transition.counts:
        counts = tuple(each for each in transition.counts if each is not guard)
        return {**TRANSITIONS, act: replace(transition, counts=counts)}
    return {**TRANSITIONS, act: replace(transition, guards=tuple(e for e in transition.guards if e is not guard))}


# What is unreviewed is in force, or was: the guard says so already.
AFTERWARDS = ((Act.CONFIRM, "states"), (Act.OBJECT, "states"))
GUARDS = [
    (act, guard)
    for act, transition in TRANSITIONS.items()
    if act in ACTS
    for guard in ("states", *transition.guards, *(transition.counts or ()))
    if (act, guard) not in AFTERWARDS
]


@pytest.mark.integration
def test_D3_every_state_that_can_be_reached_keeps_every_promise() -> None:
    count, broken = explore()
    assert broken == []
    assert count > 10_000, "the walk has become too short to prove anything"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("act", "guard"), GUARDS, ids=[f"{act}-{getattr(guard, '__name__', guard)}" for act, guard in GUARDS]
)
def test_D1_without_any_one_guard_a_promise_is_broken(act: Act, guard: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "TRANSITIONS", without(act, guard))
    _, broken = explore(until_broken=True)
    assert broken != []
