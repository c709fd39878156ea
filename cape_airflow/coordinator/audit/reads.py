"""Reading a policy is written down: which routes answer with the text of one, and as what that is recorded.

Key material is recorded where it is handed over, the log where it is read, and the policy of a job that is shown with
it where the page of the job is made.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request, Response

from cape_airflow.coordinator.audit.events import Event
from cape_airflow.coordinator.call import Call

_POLICIES = (
    "/policy",
    "/policies/{digest}",
    "/policies/compare",
    "/diff",
    "/editor",
    "/suggestions/new",
)
_SUGGESTIONS = (
    "/suggestions",
    "/suggestions/{id}",
    "/suggestions/{id}/edit",
    "/suggestions/{id}/review",
    "/suggestions/{id}/revisions",
)
_PROJECTS = ("/v1/projects/{label}", "/projects/{label}")

READS: Mapping[str, Event] = {
    project + ending: event
    for event, endings in ((Event.READ_POLICY, _POLICIES), (Event.READ_SUGGESTION, _SUGGESTIONS))
    for ending in endings
    for project in _PROJECTS
}
"""The path of a route, as it is declared, to the event that a GET there is recorded as."""


def record_read(call: Call, request: Request, response: Response) -> None:
    """Write down that a policy was read, where the route answers with one.

    The row names the suggestion, the digest or the project that was asked for, and by the ETag what the answer was.
    """
    event = READS.get(request.scope["route"].path) if request.method == "GET" else None
    if event is None:
        return
    asked = request.path_params
    kind = "suggestion" if "id" in asked else "policy" if "digest" in asked else "project"
    target = asked.get("id") or asked.get("digest") or call.project.label
    call.record(event, kind, target[:200], response.headers.get("etag", "").strip('"') or None)
