"""Wait until people have approved a policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from cape_airflow.errors import CapeError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.compat import AirflowFailException, AirflowSensorTimeout
from cape_airflow.hooks.failure import passing, task_failure
from cape_airflow.hooks.given import given, naming_unknown, refuse_vanished
from cape_airflow.links.pages import CapeReviewLink
from cape_airflow.triggers.approval import CapePolicyApprovalTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger


class CapePolicyApprovalSensor(BaseSensorOperator):
    """Succeeds once a project has an approved policy, or once this suggestion is approved.

    Its XCom is the digest of that policy, after signature and digest were checked: hand it to
    `CapeTransformOperator(policy_digest=...)`, and what was approved here is what runs there. A suggestion that is
    rejected fails the task at once, with the reviewer's words, and so does one that is withdrawn. Where the approval of
    the project's policy has run out, the next one is waited for. A coordinator that cannot be reached is asked again
    until the timeout.

    Args:
        project: label of the project (templated).
        suggestion_id: the suggestion to wait for (templated); None for any approved policy of the project.
        cape_conn_id: connection of type `cape`.
        deferrable: wait in the triggerer, without a worker slot; it asks once before it does.
        poke_interval: seconds between two questions; in the triggerer, the first comes after ten.
        timeout: seconds, or a timedelta, after which the task fails, and is not tried again.
        remind_after: call `on_waiting` whenever the task has waited for so long again; needs `deferrable`.
        on_waiting: a notifier, such as `CapeApprovalOverdueNotifier`, or another function of the context, or several.
            One that fails is logged, and the wait goes on.

    Raises:
        ValueError: of `remind_after` and `on_waiting` one is missing, or the task is not deferrable.
    """

    template_fields: Sequence[str] = ("project", "suggestion_id")
    ui_color = "#d9e8e3"
    operator_extra_links = (CapeReviewLink(),)

    def __init__(
        self,
        *,
        project: str,
        suggestion_id: str | None = None,
        cape_conn_id: str = CapeHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float = 30,
        remind_after: timedelta | None = None,
        on_waiting: Callable[[Context], None] | Sequence[Callable[[Context], None]] = (),
        **kwargs: Any,
    ) -> None:
        with naming_unknown(kwargs):
            super().__init__(poke_interval=poke_interval, **kwargs)
        self.remind_after = remind_after
        self.on_waiting = [on_waiting] if callable(on_waiting) else list(on_waiting)
        if bool(remind_after) != bool(self.on_waiting) or (remind_after and not deferrable):
            raise ValueError("remind_after goes with on_waiting, and both with deferrable=True")
        self.project = project
        self.suggestion_id = suggestion_id
        self.cape_conn_id = cape_conn_id
        self.deferrable = deferrable
        self._given = given(project=project, suggestion_id=suggestion_id)

    def execute(self, context: Context) -> str:
        """Return the digest of the approved policy; or defer until there is one.

        Raises:
            AirflowFailException: the suggestion was rejected or withdrawn, or the coordinator refuses to answer.
            AirflowSensorTimeout: no decision in time.
        """
        if not self.deferrable:
            return str(super().execute(context))
        # By way of resume_execution, where Airflow honours `soft_fail` and `never_fail`.
        return str(self.resume_execution("ask_or_defer", {}, context))

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once."""
        digest = self._approved_digest()
        return PokeReturnValue(digest is not None, digest)

    def ask_or_defer(self, context: Context) -> str:
        """Ask once; without a decision, hand over to the trigger."""
        return self._approved_digest() or self._wait(context, time.time() + self.timeout, self._next_reminder())

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        deadline: float | None = None,
        remind_at: float | None = None,
    ) -> str:
        """Return the digest of the approved policy, once the trigger has seen a decision.

        Args:
            context: of the task.
            event: of the trigger.
            deadline: until when, in seconds of the epoch, a decision that cannot be seen from here is waited for;
                None: as long as at first.
            remind_at: when people are reminded, in seconds of the epoch.
        """
        if event.get("status") == "error":
            raise AirflowFailException(f"{self._awaited} could not be waited for: {event['code']}")
        if digest := self._approved_digest():
            return digest
        if event.get("status") == "overdue":
            self._remind(context)
            remind_at = self._next_reminder()
        return self._wait(context, deadline or time.time() + self.timeout, remind_at)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; says what was waited for where it took too long."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout:
            raise AirflowSensorTimeout(f"{self._awaited} was not decided within {self.timeout:.0f} s") from None

    @property
    def _awaited(self) -> str:
        if self.suggestion_id is not None:
            return f"suggestion `{self.suggestion_id}` of project `{self.project}`"
        return f"a policy of project `{self.project}`"

    def _wait(self, context: Context, deadline: float, remind_at: float | None) -> NoReturn:
        self._defer(deadline, CapePolicyApprovalTrigger(**self._awaits(remind_at)), remind_at=remind_at)

    def _awaits(self, remind_at: float | None) -> dict[str, Any]:
        """Return the arguments of the trigger."""
        return {
            "project": self.project,
            "suggestion_id": self.suggestion_id,
            "cape_conn_id": self.cape_conn_id,
            "poke_interval": self.poke_interval,
            "remind_at": remind_at,
        }

    def _defer(self, deadline: float, trigger: BaseTrigger, **then: Any) -> NoReturn:
        left = deadline - time.time()
        if left <= 0:
            raise AirflowSensorTimeout
        self.log.info("Waiting up to %.0f s: %s is not approved yet.", left, self._awaited)
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"deadline": deadline, **then},
            timeout=timedelta(seconds=left),
        )

    def _next_reminder(self) -> float | None:
        return time.time() + self.remind_after.total_seconds() if self.remind_after else None

    def _remind(self, context: Context) -> None:
        for tell in self.on_waiting:
            try:
                tell(context)
            except Exception as error:  # noqa: BLE001 - that somebody could not be told ends no wait
                self.log.error("Nobody was reminded by %s: %s", type(tell).__name__, type(error).__name__)

    def _approved_digest(self) -> str | None:
        """Ask, and turn errors into Airflow's; a coordinator that is down means "not yet"."""
        try:
            return self._ask()
        except CapeError as error:
            if not passing(error):
                raise task_failure(error) from None
            self.log.warning("The coordinator cannot be reached, and will be asked again: %s", error)
            return None

    def _ask(self) -> str | None:
        """Return the digest of the approved policy, None where there is no decision yet."""
        from cape_airflow.hooks.decision import decision

        refuse_vanished(self, self._given)
        hook = CapeHook(self.cape_conn_id)
        found = hook.client.call(decision(self.project, self.suggestion_id))
        if found.state == "rejected":
            raise AirflowFailException(f"{self._awaited} was rejected by {found.reviewer}: {found.words}")
        if found.state == "withdrawn":
            raise AirflowFailException(f"{self._awaited} was withdrawn")
        if found.ran_out is not None:
            ended = f"{found.ran_out:%Y-%m-%d %H:%M}"
            self.log.warning(
                "The approval in project `%s` ran out on %s UTC; waiting for a new one.", self.project, ended
            )
        return found.digest and hook.get_policy(self.project, found.digest).digest
