"""What must be true of reviews, said a second time and in another way: by the history of what really happened.

The model knows no guards. It remembers who wrote which text and who saw and approved what; `forbidden` says which
promise an act would break, and `step` what it leads to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cape_airflow.coordinator.review.guards import Facts, Vote
from cape_airflow.coordinator.review.states import Act
from cape_airflow.coordinator.store.models import SuggestionState

PEOPLE = ("ann", "bob", "cid")
"""Ann suggests. All may own the project; Cid may be an auditor."""


@dataclass(frozen=True)
class Saying:
    """Somebody's yes: to which text, and after how many changes of it."""

    who: str
    role: str
    text: str
    revision: int
    afterwards: bool


@dataclass(frozen=True)
class World:
    """A project with one suggestion, and all that ever happened to it.

    Args:
        names: whether people name the revision that they saw, and not its digest alone.
        text: what it says, `texts` what it ever said; `seen`: text and revision that everybody has on the screen.
        force: digest in force; `base`: what was in force when the text was written.
        ways: how it came into force: by whose yes, and what was true then.
        owing: who put another suggestion in force without a review, which nobody has reviewed since.
    """

    quorum: tuple[tuple[str, int], ...]
    roles: tuple[tuple[str, str | None], ...]
    state: SuggestionState = SuggestionState.OPEN
    names: bool = False
    text: str = "a"
    texts: tuple[str, ...] = ("a",)
    revision: int = 1
    writers: frozenset[str] = frozenset({"ann"})
    base: str | None = None
    force: str | None = None
    seen: tuple[str, int] = ("a", 1)
    votes: tuple[Vote, ...] = ()
    confirmations: tuple[Vote, ...] = ()
    sayings: tuple[Saying, ...] = ()
    breaker: str | None = None
    reviewed: bool = False
    others: int = 0
    owing: frozenset[str] = frozenset()

    def role(self, who: str) -> str | None:
        """What somebody may review as now."""
        return dict(self.roles)[who]

    def facts(self, act: Act, who: str) -> Facts:
        """What the coordinator would tell the guards."""
        return Facts(
            state=self.state,
            actor=who,
            role=self.role(who),  # type: ignore[arg-type]
            author="ann",
            authors=self.writers,
            digest=self.text,
            revision=self.revision,
            seen_digest=self.seen[0],
            seen_revision=self.seen[1] if self.names or act in (Act.EDIT, Act.REBASE) else None,
            base=self.base,
            current=self.force,
            votes=self.confirmations if act is Act.CONFIRM else self.votes,
            roles=dict(self.roles),  # type: ignore[arg-type]
            quorum=dict(self.quorum),  # type: ignore[arg-type]
            unreviewed=self.breaker is not None and not self.reviewed,
            breaker=self.breaker,
            owes_review=who in self.owing,
        )


def enough(world: World, *, afterwards: bool) -> bool:
    """Whether so many different people of each role as asked for said yes to exactly this text, all as they are now."""
    honest = {
        saying.who
        for saying in world.sayings
        if saying.afterwards is afterwards
        and (saying.text, saying.revision) == (world.text, world.revision)
        and saying.who not in world.writers
        and not (afterwards and saying.who == world.breaker)
    }
    return all(sum(world.role(who) == role for who in honest) >= wanted for role, wanted in world.quorum)


def forbidden(world: World, act: Act, who: str) -> str:
    """Return which promise the act would break; empty where it may happen."""
    promises = (_own_words, _unseen, _too_late, _on_another_base, _without_end)
    return next((wrong for promise in promises if (wrong := promise(world, act, who))), "")


def step(world: World, act: Act, who: str) -> World:
    """Return the world after an act, whether it may happen or not."""
    if act in (Act.APPROVE, Act.CONFIRM):
        world = _said(world, act, who)
    if act is Act.EDIT:
        world = _written(world, who, {"a": "b", "b": "a"}[world.text], world.base)
    if act is Act.REBASE:
        world = _written(world, who, world.text, world.force)
    if act is Act.BREAK_GLASS:
        world = replace(world, breaker=who)
    if act is Act.OBJECT or (act is Act.CONFIRM and enough(world, afterwards=True)):
        world = replace(world, reviewed=True)
    state = _state(world, act)
    comes_into_force = state is SuggestionState.APPROVED and world.state is not state
    return replace(world, state=state, force=world.text if comes_into_force else world.force)


def _state(world: World, act: Act) -> SuggestionState:
    if act is Act.APPROVE and not enough(world, afterwards=False):
        return world.state
    return _LEADS_TO.get(act, world.state)


_LEADS_TO = {
    Act.EDIT: SuggestionState.OPEN,
    Act.WITHDRAW: SuggestionState.WITHDRAWN,
    Act.REQUEST_CHANGES: SuggestionState.CHANGES_REQUESTED,
    Act.REJECT: SuggestionState.REJECTED,
    Act.APPROVE: SuggestionState.APPROVED,
    Act.BREAK_GLASS: SuggestionState.APPROVED,
    Act.OBJECT: SuggestionState.REJECTED,
}


def _said(world: World, act: Act, who: str) -> World:
    role = str(world.role(who))
    saying = Saying(who, role, world.seen[0], world.revision, act is Act.CONFIRM)
    vote = Vote(who, role, world.revision)  # type: ignore[arg-type]
    world = replace(world, sayings=(*world.sayings, saying))
    if act is Act.CONFIRM:
        return replace(world, confirmations=(*world.confirmations, vote))
    return replace(world, votes=(*world.votes, vote))


def _written(world: World, who: str, text: str, base: str | None) -> World:
    revision = world.revision + 1
    texts, seen = (*world.texts, text), (text, revision)
    return replace(
        world, text=text, texts=texts, base=base, revision=revision, writers=world.writers | {who}, seen=seen
    )


def _own_words(world: World, act: Act, who: str) -> str:
    judges = (Act.APPROVE, Act.REJECT, Act.REQUEST_CHANGES, Act.CONFIRM, Act.OBJECT)
    if act in judges and who in world.writers:
        return f"{act} by somebody who wrote at it"
    if act in (Act.CONFIRM, Act.OBJECT) and who == world.breaker:
        return f"{act} by who broke the glass"
    if act in (Act.CONFIRM, Act.OBJECT) and (world.breaker is None or world.reviewed):
        return f"{act} of what was reviewed"
    if act is Act.WITHDRAW and who != "ann" and world.role(who) != "project-owner":
        return "withdrawn by somebody else"
    if act in (Act.APPROVE, Act.CONFIRM) and not dict(world.quorum).get(str(world.role(who))):
        return f"{act} by somebody whom the rule does not name"
    return ""


def _unseen(world: World, act: Act, _who: str) -> str:
    about_text = (Act.APPROVE, Act.REJECT, Act.REQUEST_CHANGES, Act.BREAK_GLASS, Act.CONFIRM, Act.OBJECT)
    if act in about_text and world.seen[0] != world.text:
        return f"{act} of a text that was not seen"
    if act in (Act.EDIT, Act.REBASE) and world.seen[1] != world.revision:
        return f"{act} that takes back another edit"
    if act in about_text and world.names and world.seen[1] != world.revision:
        return f"{act} of a revision that was not seen"
    return ""


def _too_late(world: World, act: Act, _who: str) -> str:
    undecided = (SuggestionState.OPEN, SuggestionState.CHANGES_REQUESTED)
    if act not in (Act.CONFIRM, Act.OBJECT) and world.state not in undecided:
        return f"{act} of what was decided"
    if act in (Act.APPROVE, Act.REQUEST_CHANGES) and world.state is SuggestionState.CHANGES_REQUESTED:
        return f"{act} although changes are asked for"
    return ""


def _on_another_base(world: World, act: Act, _who: str) -> str:
    if act in (Act.APPROVE, Act.BREAK_GLASS) and world.base != world.force:
        return f"{act} of a text for another base than what is in force"
    return ""


def _without_end(world: World, act: Act, who: str) -> str:
    return f"{act} by somebody whose last one was not reviewed" if act is Act.BREAK_GLASS and who in world.owing else ""
