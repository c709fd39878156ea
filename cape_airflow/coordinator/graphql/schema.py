"""What Cape's clients may ask, and who may: each field is answered as the route of the REST API for the same thing.

Nothing is answered by half: the first refusal ends the request, and takes back what it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from fastapi import Request
from graphql import DocumentNode, GraphQLObjectType, GraphQLResolveInfo, build_schema, execute_sync

from cape_airflow.coordinator.access import authorise
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.graphql.applications import record_application
from cape_airflow.coordinator.graphql.documents import bad_query
from cape_airflow.coordinator.graphql.specs import Spec, current_spec
from cape_airflow.coordinator.permissions import PERMISSIONS
from cape_airflow.coordinator.store.models import User

_SDL = '''
"""The label of a project."""
scalar ModelLabel
"""A rule of a policy of version 1, as JSON."""
scalar Rule
"""A named transformation of a policy of version 1, as JSON."""
scalar NamedTransformation
"""A moment, RFC 3339."""
scalar Time

type User { id: String! name: String! email: String! }
"""The approved policy of a project, for clients of Cape."""
type Policy { id: String! rules: [Rule!]! transformations: [NamedTransformation!]! }
type Project { current_spec: Policy! }
type AuditEvent { event_name: String! }

"""What was done. Who asks and when the coordinator records itself, whatever is said here."""
input AuditEventInput {
  event_name: String!
  user_id: String!
  user_name: String
  user_email: String
  time: Time
  target_id: String!
  target_type: String!
  target_label: ModelLabel!
}

type Query { me: User! project(label: ModelLabel!): Project! }
type Mutation { addAuditLog(audit: AuditEventInput!): AuditEvent! }
'''

Info = GraphQLResolveInfo[Any]

# Who may fetch a policy may say that he applied it.
_POLICY = PERMISSIONS["GET", "/v1/projects/{label}/policy"]


@dataclass(frozen=True)
class Asked:
    """What the fields are told: the request, and the call that the guard has made of it."""

    request: Request
    call: Call

    def about(self, label: object) -> Asked:
        """Return the same about one project.

        Raises:
            Problem: 404, 403 where the caller may not fetch its policy; 400 where the label is no text.
        """
        if not isinstance(label, str):
            raise bad_query("the label of a project is text")
        call = self.call
        project = authorise(call.seals, call.session, _POLICY, call.user, label)
        return replace(self, call=replace(call, about=project))


def answer(asked: Asked, document: DocumentNode, variables: Mapping[str, Any] | None, operation: str | None) -> Any:
    """Return the data that a document asks for.

    Raises:
        Problem: the first refusal; 400 ``bad-query`` where the variables or the operation's name do not fit.
    """
    result = execute_sync(
        SCHEMA, document, context_value=asked, variable_values=dict(variables or {}), operation_name=operation
    )
    for error in result.errors or ():
        if error.path is None:  # its message may repeat what was sent
            raise bad_query("the variables, or the name of the operation, do not fit the query")
        raise error.original_error or error
    return result.data


def _me(_root: object, info: Info) -> User:
    asked: Asked = info.context
    return asked.call.user


def _project(_root: object, info: Info, label: object) -> Asked:
    asked: Asked = info.context
    return asked.about(label)


def _current_spec(project: Asked, _info: Info) -> Spec:
    return current_spec(project.request, project.call)


def _add_audit_log(_root: object, info: Info, audit: dict[str, Any]) -> dict[str, Any]:
    asked: Asked = info.context
    record_application(asked.about(audit["target_label"]).call, audit)
    return audit


SCHEMA = build_schema(_SDL)
"""The whole surface."""

for _type, _field, _resolve in (
    ("Query", "me", _me),
    ("Query", "project", _project),
    ("Project", "current_spec", _current_spec),
    ("Mutation", "addAuditLog", _add_audit_log),
):
    cast("GraphQLObjectType", SCHEMA.type_map[_type]).fields[_field].resolve = _resolve
