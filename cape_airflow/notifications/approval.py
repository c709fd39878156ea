"""Tell people that an approval waits: with a deadline, as a callback of a task, or as the reminder of a sensor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier

from cape_airflow.errors import CapeError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.links.pages import pages_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cape_airflow.client import Suggestion

CONTEXT_KEY = "cape_overdue"


@dataclass(frozen=True)
class Waiting:
    """A suggestion that waits for reviewers.

    Args:
        since: when it was made, RFC 3339, UTC.
        url: its review page.
    """

    suggestion_id: str
    since: str
    url: str


@dataclass(frozen=True)
class Overdue:
    """What people are told; nothing in it is free text that somebody has written.

    Args:
        message: all of it, in one line for each suggestion.
        waiting: the longest first.
    """

    project: str
    message: str
    waiting: tuple[Waiting, ...] = ()


class CapeApprovalOverdueNotifier(BaseNotifier):
    """Says which suggestions of a project wait for an approval, since when, and where they are reviewed.

    It is for `DeadlineAlert(callback=AsyncCallback(CapeApprovalOverdueNotifier, kwargs=...))`, for `on_waiting` of
    `CapePolicyApprovalSensor`, and for callbacks of tasks and DAGs. Where nothing waits (any more) it says nothing; a
    coordinator that cannot be asked is said in place of the suggestions.

    The message goes to the log, or through any notifier, whose templates see it: `{{ cape_overdue.message }}`,
    `{{ cape_overdue.project }}`, and `cape_overdue.waiting`, each with `suggestion_id`, `since` and `url`.

    Args:
        project: label of the project (templated).
        suggestion_id: the one suggestion to speak of (templated); None for all of the project.
        cape_conn_id: connection of type `cape`.
        through: the notifier to send with, or the dotted path of its class; None: the log.
        through_arguments: of that class; with a path only. What a DAG hands to a deadline must be plain data.
        context: of Airflow's own.

    Raises:
        ValueError: `through_arguments` without a path.
    """

    template_fields: Sequence[str] = ("project", "suggestion_id")

    def __init__(
        self,
        *,
        project: str,
        suggestion_id: str | None = None,
        cape_conn_id: str = CapeHook.default_conn_name,
        through: BaseNotifier | str | None = None,
        through_arguments: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(context)
        if through_arguments is not None and not isinstance(through, str):
            raise ValueError("through_arguments goes with the dotted path of a notifier's class")
        self.project = project
        self.suggestion_id = suggestion_id
        self.cape_conn_id = cape_conn_id
        self.through = through
        self.through_arguments = through_arguments

    def notify(self, context: Context) -> None:
        """Ask the coordinator, and tell people.

        Raises:
            Exception: of the notifier that it goes through.
        """
        if overdue := self._asked():
            self._tell(overdue, context)

    async def async_notify(self, context: Context) -> None:
        """Do the same in the triggerer; whatever has no asynchronous form runs in a thread.

        Raises:
            Exception: of the notifier that it goes through.
        """
        overdue = await asyncio.to_thread(self._asked)
        if overdue and (through := self._through()) and _is_asynchronous(through):
            through.context = _with(context, overdue)
            await through
        elif overdue:
            await asyncio.to_thread(self._tell, overdue, context)

    def _asked(self) -> Overdue | None:
        """Return what is to be said; None where nothing waits."""
        try:
            client = CapeHook(self.cape_conn_id).client
            found, pages = self._found(client), pages_of(self.cape_conn_id)
        except CapeError as error:
            reason = f"the coordinator could not be asked which ({type(error).__name__})"
            return Overdue(self.project, f"An approval in project `{self.project}` may be overdue; {reason}.")
        if not found:
            self.log.info("No suggestion in project `%s` waits for an approval.", self.project)
            return None
        waiting = tuple(_waiting(each, pages) for each in sorted(found, key=lambda each: each.created_at))
        return Overdue(self.project, _message(self.project, waiting), waiting)

    def _found(self, client: Any) -> Sequence[Suggestion]:
        if self.suggestion_id is None:
            found = client.suggestions(self.project)
        else:
            found = (client.suggestion(self.project, self.suggestion_id),)
        return [each for each in found if each.state == "open"]

    def _through(self) -> BaseNotifier | None:
        if isinstance(self.through, str):
            made: BaseNotifier = resolve_name(self.through)(**(self.through_arguments or {}))
            return made
        return copy(self.through)  # its templates are rendered in place

    def _tell(self, overdue: Overdue, context: Context) -> None:
        if through := self._through():
            through(_with(context, overdue))
        else:
            self.log.warning("%s", overdue.message)


def _waiting(suggestion: Suggestion, pages: str) -> Waiting:
    path = f"projects/{quote(suggestion.project, safe='')}/suggestions/{quote(suggestion.id, safe='')}"
    since = suggestion.created_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Waiting(suggestion.id, since, f"{pages}/{path}")


def _message(project: str, waiting: Sequence[Waiting]) -> str:
    now = datetime.now(UTC)
    lines = (
        f"- {each.suggestion_id}, since {each.since} ({_duration(now, each.since)}): {each.url}" for each in waiting
    )
    return "\n".join((f"Waiting for an approval in project `{project}`:", *lines))


def _duration(now: datetime, since: str) -> str:
    minutes = max(0, int((now - datetime.fromisoformat(since)).total_seconds() // 60))
    return f"{minutes // 60} h {minutes % 60} min"


def _with(context: Context, overdue: Overdue) -> Any:
    """Return a context of their own for the templates of another notifier."""
    return {**context, CONTEXT_KEY: asdict(overdue)}


def _is_asynchronous(notifier: BaseNotifier) -> bool:
    return type(notifier).async_notify is not BaseNotifier.async_notify
