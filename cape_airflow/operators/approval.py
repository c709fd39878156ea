"""Ask for an approval inside Airflow: a second door to the same review."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from cape_airflow.errors import CapeError, CoordinatorRefused
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.failure import passing, task_failure
from cape_airflow.hooks.given import refuse_vanished
from cape_airflow.sensors.approval import CapePolicyApprovalSensor
from cape_airflow.triggers.approval import CapeApprovalTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.hitl import HITLUser

# The answer does not count; another one may.
_AGAIN = ("own-suggestion", "not-a-reviewer", "unknown-person", "deactivated", "no-person", "no-comment", "answer-used")
# None can count any more: Airflow keeps the question of a task instance as it was.
_ELSEWHERE = ("another-question", "base-moved", "not-open")


class CapeApprovalOperator(CapePolicyApprovalSensor):
    """Asks people inside Airflow ("Required Actions") whether a suggested policy is to be approved, and waits for it.

    They see what becomes of every column under the policy, what changes, whether it can be reversed, what `lint`
    remarks, author, digest, and the way to the review page; they approve, reject, or request changes, with a comment.
    An answer is a review by the person who gave it, under all rules of the coordinator: it reads the answer, and whose
    it is, where Airflow keeps it, and takes this task's word for nothing. An answer that the rules refuse is said in
    the log, and the question stands again; a quorum that is not complete is waited for. What is decided on the
    coordinator's pages counts just as well. As with the sensor, the XCom is the digest of the approved policy.

    It needs the coordinator that is embedded in this Airflow's API server, and people who log in there.

    Args:
        project: label of the project (templated).
        suggestion_id: the suggestion to be decided (templated).
        assigned_users: Airflow's users who may answer, ``{"id": ..., "name": ...}``; empty: all who may act on the DAG.
            Who of them may review is up to the coordinator.
        notifiers: called whenever the question is put, with the task's context.
        sensor_arguments: more arguments of `CapePolicyApprovalSensor`.
    """

    ui_color = "#e3e0ef"

    def __init__(
        self,
        *,
        project: str,
        suggestion_id: str,
        assigned_users: Sequence[HITLUser] = (),
        notifiers: Sequence[Callable[[Context], None]] = (),
        **sensor_arguments: Any,
    ) -> None:
        super().__init__(project=project, suggestion_id=suggestion_id, deferrable=True, **sensor_arguments)
        self.assigned_users = list(assigned_users)
        self.notifiers = list(notifiers)
        self._put = True
        self._watched = True

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        deadline: float | None = None,
        remind_at: float | None = None,
        watched: bool = True,
    ) -> str:
        """Have an answer taken as a review, and return the digest of the approved policy; or wait again.

        Args:
            context: of the task.
            event: of the trigger, or Airflow's with the answer, which is not believed.
            deadline, remind_at: see the sensor.
            watched: whether the question still stands inside Airflow.
        """
        self._watched, self._put = watched, False
        if event.get("status") == "answered" or "chosen_options" in event:
            self._have_answer_taken(context)
        return super().execute_complete(context, event, deadline, remind_at)

    def _wait(self, context: Context, deadline: float, remind_at: float | None) -> NoReturn:
        if self._put:
            self._put_question(context)
        if not self._watched:
            super()._wait(context, deadline, remind_at)
        trigger = CapeApprovalTrigger(ti_id=str(context["ti"].id), **self._awaits(remind_at))
        self._defer(deadline, trigger, remind_at=remind_at, watched=self._watched)

    def _put_question(self, context: Context) -> None:
        """Put the question; where it was put before, Airflow keeps it, and forgets the answer."""
        from airflow.sdk.execution_time.hitl import upsert_hitl_detail

        from cape_airflow.hooks.question import question

        try:
            asked = CapeHook(self.cape_conn_id).client.call(question(self.project, str(self.suggestion_id)))
        except CapeError as error:
            raise task_failure(error) from None
        upsert_hitl_detail(
            ti_id=context["ti"].id,
            options=[*asked.options],
            subject=asked.subject,
            body=asked.body,
            params={**asked.params},
            assigned_users=self.assigned_users,
        )
        self.log.info("Asked in Airflow, under Required Actions: %s", asked.subject)
        for notify in self.notifiers:
            notify(context)

    def _have_answer_taken(self, context: Context) -> None:
        """Have the answer taken as a review, and find out whether the question is to be put again."""
        from cape_airflow.hooks.question import answer

        refuse_vanished(self, self._given)
        try:
            request = answer(self.project, str(self.suggestion_id), _place(context))
            carried = CapeHook(self.cape_conn_id).client.call(request)
        except CoordinatorRefused as error:
            self._go_by_refusal(error)
        except CapeError as error:
            if not passing(error):
                raise task_failure(error) from None
            self.log.warning("The answer could not be handed over yet; the trigger finds it again: %s", error)
        else:
            self.log.info("%s: %s by %s; it is %s.", self._awaited, carried.verdict, carried.reviewer, carried.state)
            self._watched = self._put = carried.state == "open"

    def _go_by_refusal(self, error: CoordinatorRefused) -> None:
        if error.code not in (*_AGAIN, *_ELSEWHERE):
            raise task_failure(error) from None
        self.log.warning("The answer does not count: %s", error)
        self._watched = self._put = error.code in _AGAIN
        if not self._watched:
            self.log.warning("%s is from now on decided on its review page, or in another run.", self._awaited)


def _place(context: Context) -> dict[str, str | int]:
    """Return where the coordinator finds the answer."""
    ti = context["ti"]
    index = -1 if ti.map_index is None else ti.map_index
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": index}
