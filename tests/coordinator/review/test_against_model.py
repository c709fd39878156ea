"""The real service against the model: whatever people do in whatever order, it answers as the model says."""

from __future__ import annotations

import secrets
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cape_airflow.coordinator.review.states import Act
from cape_airflow.coordinator.store.models import SuggestionState
from cape_airflow.policy import load_policy
from tests.coordinator.review.reference_model import PEOPLE, World, forbidden, step

pytestmark = pytest.mark.integration

OWNERS = tuple((who, "project-owner") for who in PEOPLE)
QUORUMS = st.sampled_from([{"project-owner": 1}, {"project-owner": 2}])
ACTS = [act for act in Act if act not in (Act.COMMENT, Act.SUPERSEDE, Act.REINSTATE)]
HAPPENINGS = [
    *ACTS,
    *[Act.APPROVE] * 8,  # what leaves something to do comes up more often
    *[Act.CONFIRM] * 3,
    *["anew"] * 10,
    *["another", "cid", "old page"],
    *["new page"] * 3,
]
UNDECIDED = (SuggestionState.OPEN, SuggestionState.CHANGES_REQUESTED)
AFTERWARDS = {Act.CONFIRM: "confirm", Act.OBJECT: "object"}


class Reviewing(RuleBasedStateMachine):
    """One suggestion of a new project, which Ann makes; Ann, Bob and Cid do to it what comes to their minds."""

    deployment: Any
    tokens: dict[str, str]
    texts: dict[str, str]  # their digests

    @initialize(quorum=QUORUMS, names=st.booleans())
    def begin(self, quorum: dict[str, int], names: bool) -> None:
        self.label = f"p{secrets.token_hex(6)}"
        self.in_force: list[tuple[str, str]] = []  # suggestion and what it says, the newest last
        self.digests = dict(self.texts)
        self.deployment.done("POST", "/v1/projects", self.deployment.admin, {"name": self.label, "label": self.label})
        for who in PEOPLE:
            self.deployment.join(self.label, who, "project-owner")
        self.ask("PUT", "review-rule", self.deployment.admin, {"quorum": quorum})
        self.suggest(World(quorum=tuple(quorum.items()), roles=OWNERS, names=names))

    def suggest(self, world: World) -> None:
        force = self.in_force[-1][1] if self.in_force else None
        unreviewed = {world.breaker} - {None} if not world.reviewed else set()
        now = {"force": force, "base": force, "owing": world.owing | unreviewed}
        self.world = World(quorum=world.quorum, roles=world.roles, names=world.names, **now)  # type: ignore[arg-type]
        body = {"title": "first", "policy": self.text("a")}
        self.shown = self.ask("POST", "suggestions", self.tokens["ann"], body).json()

    def ask(self, method: str, path: str, token: str, body: Any = None) -> Any:
        return self.deployment.ask(method, f"/v1/projects/{self.label}/{path}", token, body)

    @staticmethod
    def text(name: str) -> str:
        return f"version: 2\nrules: [{{match: {{name: {name}}}, actions: [drop]}}]\n"

    @rule(seed=st.integers(0, 2**32))
    def much_happens(self, seed: int) -> None:
        chance = Random(seed)  # lists that hypothesis draws are too short, and too much alike
        for _ in range(25):
            each, who = chance.choice(HAPPENINGS), chance.choice(PEOPLE)
            match each:
                case "anew" if self.world.state not in UNDECIDED:
                    self.suggest(self.world)
                case "another":
                    self.another_policy_is_put_in_force()
                case "cid":
                    self.cid_comes_or_goes()
                case "old page" if self.world.revision > 1:
                    self.everybody_looks_at(self.world.revision - 1)
                case "new page":
                    self.everybody_looks_at(self.world.revision)
                case Act() if self.world.role(who) is not None:
                    self.somebody_acts(each, who)

    def somebody_acts(self, act: Act, who: str) -> None:
        wrong = forbidden(self.world, act, who)
        answer = self.request(act, who)
        assert answer.is_success is (not wrong), (act, who, wrong, answer.text)
        if wrong:
            return
        was_in_force = self.world.state is SuggestionState.APPROVED
        self.world = step(self.world, act, who)
        id = self.shown["id"]
        if act is Act.OBJECT:
            self.in_force = [each for each in self.in_force if each[0] != id]
        elif self.world.state is SuggestionState.APPROVED and not was_in_force:
            self.in_force.append((id, self.world.text))

    def request(self, act: Act, who: str) -> Any:
        text, revision = self.world.seen
        path = f"suggestions/{self.shown['id']}"
        seen = {"digest": self.digests[text]} | ({"revision": revision} if self.world.names else {})
        match act:
            case Act.EDIT:
                body = {"revision": revision, "policy": self.text({"a": "b", "b": "a"}[self.world.text])}
                return self.ask("PATCH", path, self.tokens[who], body)
            case Act.REBASE:
                return self.ask("POST", f"{path}/rebase", self.tokens[who], {"revision": revision})
            case Act.WITHDRAW:
                return self.ask("POST", f"{path}/withdraw", self.tokens[who])
            case Act.BREAK_GLASS:
                return self.ask("POST", f"{path}/break-glass", self.tokens[who], seen | {"reason": "a fire"})
            case Act.CONFIRM | Act.OBJECT:
                body = seen | {"verdict": AFTERWARDS[act], "comment": "seen"}
                return self.ask("POST", f"{path}/after-review", self.tokens[who], body)
        return self.ask("POST", f"{path}/{act}", self.tokens[who], seen | {"comment": "seen"})

    def cid_comes_or_goes(self) -> None:
        if self.world.role("cid"):
            path = f"/v1/projects/{self.label}/contributors/cid@example.com"
            self.deployment.done("DELETE", path, self.deployment.admin)
        else:
            self.deployment.join(self.label, "cid", "project-owner")
        role = None if self.world.role("cid") else "project-owner"
        self.world = replace(self.world, roles=(*OWNERS[:2], ("cid", role)))

    def another_policy_is_put_in_force(self) -> None:
        name = f"other{secrets.token_hex(4)}"
        made = self.ask("POST", "suggestions", self.deployment.admin, {"title": name, "policy": self.text(name)}).json()
        for who in ("ann", "bob")[: dict(self.world.quorum)["project-owner"]]:
            path, body = f"suggestions/{made['id']}/approve", {"digest": made["digest"]}
            assert self.ask("POST", path, self.tokens[who], body).is_success
        superseded = self.world.state is SuggestionState.APPROVED
        state = SuggestionState.SUPERSEDED if superseded else self.world.state
        self.world = replace(self.world, force=name, state=state)
        self.digests[name] = made["digest"]
        self.in_force.append((made["id"], name))

    def everybody_looks_at(self, revision: int) -> None:
        self.world = replace(self.world, seen=(self.world.texts[revision - 1], revision))

    @invariant()
    def the_service_shows_what_the_model_says(self) -> None:
        shown = self.ask("GET", f"suggestions/{self.shown['id']}", self.deployment.admin).json()
        assert (shown["state"], shown["revision"]) == (self.world.state, self.world.revision)
        assert shown["digest"] == self.digests[self.world.text]
        policy = self.ask("GET", "policy", self.deployment.admin)
        if not self.in_force:
            assert policy.status_code == 404
            return
        assert policy.json()["digest"] == self.digests[self.in_force[-1][1]]


def test_D3_the_service_does_what_the_model_says(deployment: Any) -> None:
    class Here(Reviewing):
        pass

    Here.deployment = deployment
    Here.tokens = {who: deployment.user(who) for who in PEOPLE}
    Here.texts = {name: load_policy(Reviewing.text(name)).digest for name in ("a", "b")}
    here = settings(
        max_examples=settings().max_examples // 4,
        stateful_step_count=8,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=here)
