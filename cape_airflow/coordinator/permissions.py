"""Who may call what: one table, read by the guard of every route and by the tests that are generated from it.

Rules it follows:

- A route without a row does not start.
- A project that one does not belong to looks like a missing one (404); a role that does not suffice is a 403.
- A global admin makes users and projects. In a project he is what his role there says, and nothing without one.
- An auditor reads everything but keys, of all projects, and changes nothing: a role in a project gives him no more.
- A worker fetches approved policies and keys, and reports jobs. Nothing else; he does not make himself tokens either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user is to the whole deployment; Cape's labels, and `auditor`."""

    ADMIN = "admin"
    AUDITOR = "auditor"
    USER = "user"


class UserKind(StrEnum):
    """What sort of account a user is: a person logs in; a service has API tokens only."""

    PERSON = "person"
    SERVICE = "service"


class ProjectRole(StrEnum):
    """What a user is to one project; Cape's labels, and `worker` for the accounts that tasks run under."""

    OWNER = "project-owner"
    CONTRIBUTOR = "project-contributor"
    READER = "project-reader"
    WORKER = "worker"


class Audience(StrEnum):
    """Whom a rule is about."""

    ANYONE = "anyone"
    USER = "any user"
    PERSON = "any user but workers"
    ADMIN = "admin"
    PROJECT = "roles in the project"


@dataclass(frozen=True)
class Rule:
    """Who may call a route.

    Args:
        audience: whom the rule is about.
        roles: the roles in the project that may, where it is about a project.
        admin: admins may too, without a role in the project.
        auditor: auditors may too, without a role in the project.
        voter: auditors may too, where the project's review rule asks for their approval.
        governs: it changes who decides or what is decided, and waits its turn at the project's row.
    """

    audience: Audience
    roles: frozenset[ProjectRole] = frozenset()
    admin: bool = False
    auditor: bool = False
    voter: bool = False
    governs: bool = False


_OWNER = frozenset({ProjectRole.OWNER})
_AUTHORS = _OWNER | {ProjectRole.CONTRIBUTOR}
_MEMBERS = _AUTHORS | {ProjectRole.READER}
_WORKER = frozenset({ProjectRole.WORKER})

_ANYONE = Rule(Audience.ANYONE)
_USER = Rule(Audience.USER)
_PERSON = Rule(Audience.PERSON)
_ADMIN = Rule(Audience.ADMIN)
_SUPERVISION = Rule(Audience.ADMIN, auditor=True)


def _reads(roles: frozenset[ProjectRole], *, admin: bool = False) -> Rule:
    return Rule(Audience.PROJECT, roles, admin=admin, auditor=True)


def _governs(roles: frozenset[ProjectRole]) -> Rule:
    return Rule(Audience.PROJECT, roles, governs=True)


def _votes(roles: frozenset[ProjectRole]) -> Rule:
    return Rule(Audience.PROJECT, roles, voter=True, governs=True)


_REPORTS = Rule(Audience.PROJECT, _WORKER)
_FETCHES_KEYS = Rule(Audience.PROJECT, _WORKER)

_PROJECT = "/v1/projects/{label}"
_PROJECT_PAGE = "/projects/{label}"

PERMISSIONS: Mapping[tuple[str, str], Rule] = {
    ("GET", "/login"): _ANYONE,
    ("POST", "/login"): _ANYONE,
    ("GET", "/login/oidc"): _ANYONE,
    ("GET", "/login/oidc/callback"): _ANYONE,
    ("POST", "/logout"): _USER,
    ("GET", "/set-password"): _ANYONE,
    ("POST", "/set-password"): _ANYONE,
    ("GET", "/password"): _PERSON,
    ("POST", "/password"): _PERSON,
    ("GET", "/v1/health"): _ANYONE,
    ("GET", "/v1/ready"): _ANYONE,
    ("GET", "/v1/version"): _ANYONE,
    ("GET", "/v1/signing-keys"): _ANYONE,
    ("GET", "/v1/openapi.json"): _USER,
    ("GET", "/v1/me"): _USER,
    ("POST", "/v1/login"): _ANYONE,  # with an API token in the body
    ("POST", "/v1/query"): _USER,  # GraphQL of old clients; what they ask for is looked up here, as if they used REST
    ("POST", "/v1/users"): _ADMIN,
    ("GET", "/v1/users"): _SUPERVISION,
    ("GET", "/v1/users/{email}"): _SUPERVISION,
    ("PUT", "/v1/users/{email}/role"): _ADMIN,
    ("POST", "/v1/users/{email}/deactivate"): _ADMIN,
    ("POST", "/v1/users/{email}/activate"): _ADMIN,
    ("POST", "/v1/users/{email}/link"): _ADMIN,
    ("POST", "/v1/tokens"): _PERSON,  # for oneself; an admin for anybody
    ("GET", "/v1/tokens"): _USER,  # one's own; an admin or auditor anybody's
    ("DELETE", "/v1/tokens/{id}"): _USER,  # one's own; an admin anybody's
    ("POST", "/v1/projects"): _ADMIN,
    ("GET", "/v1/projects"): _USER,  # those one is a member of; an admin or auditor all
    ("GET", _PROJECT): _reads(_MEMBERS, admin=True),
    ("PATCH", _PROJECT): _governs(_OWNER),
    ("GET", _PROJECT + "/contributors"): _reads(_MEMBERS),
    ("PUT", _PROJECT + "/contributors/{email}"): _governs(_OWNER),
    ("DELETE", _PROJECT + "/contributors/{email}"): _governs(_OWNER),
    ("POST", _PROJECT + "/workers"): _governs(_OWNER),
    ("POST", _PROJECT + "/workers/{email}/tokens"): _governs(_OWNER),
    ("PUT", _PROJECT + "/contributors/{email}/reveal"): _governs(_OWNER),
    ("POST", _PROJECT + "/suggestions"): _governs(_AUTHORS),
    ("GET", _PROJECT + "/suggestions"): _reads(_MEMBERS | _WORKER),
    ("GET", _PROJECT + "/suggestions/{id}"): _reads(_MEMBERS | _WORKER),
    ("PATCH", _PROJECT + "/suggestions/{id}"): _governs(_AUTHORS),
    ("GET", _PROJECT + "/suggestions/{id}/revisions"): _reads(_MEMBERS | _WORKER),
    ("GET", _PROJECT + "/suggestions/{id}/review"): _reads(_MEMBERS),
    ("POST", _PROJECT + "/suggestions/{id}/rebase"): _governs(_AUTHORS),
    ("POST", _PROJECT + "/suggestions/{id}/withdraw"): _governs(_AUTHORS),  # a contributor his own
    ("POST", _PROJECT + "/suggestions/{id}/approve"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT + "/suggestions/{id}/request-changes"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT + "/suggestions/{id}/reject"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT + "/suggestions/{id}/break-glass"): _governs(_OWNER),
    ("POST", _PROJECT + "/suggestions/{id}/after-review"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT + "/suggestions/{id}/comments"): _votes(_AUTHORS),
    ("POST", _PROJECT + "/suggestions/{id}/dry-runs"): Rule(Audience.PROJECT, _AUTHORS | _WORKER, governs=True),
    ("GET", _PROJECT + "/suggestions/{id}/question"): _reads(_MEMBERS | _WORKER),
    # A worker says where an answer is found; whose it is, and whether he may, is found out there and here.
    ("POST", _PROJECT + "/suggestions/{id}/answers"): Rule(Audience.PROJECT, _WORKER, governs=True),
    ("GET", _PROJECT + "/review-rule"): _reads(_MEMBERS),
    ("PUT", _PROJECT + "/review-rule"): Rule(Audience.PROJECT, _OWNER, admin=True, governs=True),
    ("GET", _PROJECT + "/diff"): _reads(_MEMBERS),
    ("GET", _PROJECT + "/policies"): _reads(_MEMBERS | _WORKER),
    ("POST", _PROJECT + "/policies/{digest}/suggest"): _governs(_AUTHORS),
    ("GET", _PROJECT + "/policy"): _reads(_MEMBERS | _WORKER),
    ("GET", _PROJECT + "/policies/{digest}"): _reads(_MEMBERS | _WORKER),
    ("POST", _PROJECT + "/keys"): _governs(_OWNER),
    ("GET", _PROJECT + "/keys"): _reads(_MEMBERS | _WORKER),
    ("PATCH", _PROJECT + "/keys/{name}"): _governs(_OWNER),
    ("POST", _PROJECT + "/keys/{name}/rotate"): _governs(_OWNER),
    ("POST", _PROJECT + "/keys/{name}/versions/{version}/retire"): _governs(_OWNER),
    ("POST", _PROJECT + "/keys/{name}/versions/{version}/destroy"): _governs(_OWNER),
    ("GET", _PROJECT + "/keys/{name}/material"): _FETCHES_KEYS,
    ("POST", _PROJECT + "/keys/{name}/reveal"): _FETCHES_KEYS,  # whom an owner lets
    ("PUT", _PROJECT + "/jobs/{job_id}"): _REPORTS,
    ("POST", _PROJECT + "/jobs/{job_id}/heartbeat"): _REPORTS,
    ("POST", _PROJECT + "/jobs/{job_id}/finish"): _REPORTS,
    ("POST", _PROJECT + "/jobs/{job_id}/verdicts"): _REPORTS,
    ("GET", _PROJECT + "/jobs"): _reads(_MEMBERS | _WORKER),
    ("GET", _PROJECT + "/jobs/{job_id}"): _reads(_MEMBERS | _WORKER),
    ("GET", "/v1/schedulers"): _SUPERVISION,
    ("GET", "/v1/schedulers/jobs"): _PERSON,  # those of the projects one belongs to; an admin or auditor all
    ("GET", "/v1/schedulers/summary"): _PERSON,  # likewise
    ("POST", "/v1/schedulers/jobs/{scheduler_job}/cancel"): _ADMIN,
    ("GET", "/v1/audit"): _SUPERVISION,
    ("GET", "/v1/audit/export"): _SUPERVISION,
    ("GET", "/metrics"): _SUPERVISION,
    # Pages
    ("GET", "/static/{digest}/{name}"): _ANYONE,
    ("GET", "/projects"): _PERSON,  # those one is a member of; an admin or auditor all
    ("GET", _PROJECT_PAGE): _reads(_MEMBERS, admin=True),
    ("GET", "/"): _PERSON,  # of one's projects; what is for admins and auditors only they see
    ("GET", "/jobs"): _PERSON,  # those of the projects whose jobs one may read
    ("GET", "/airflow"): _PERSON,  # likewise, of one DAG, run or task of Airflow
    ("GET", _PROJECT_PAGE + "/jobs/{job_id}"): _reads(_MEMBERS | _WORKER),
    ("GET", _PROJECT_PAGE + "/keys"): _reads(_MEMBERS | _WORKER),
    ("POST", _PROJECT_PAGE + "/keys"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/keys/{name}/rotate"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/keys/{name}/period"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/keys/{name}/versions/{version}/retire"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/keys/{name}/versions/{version}/destroy"): _governs(_OWNER),
    ("GET", _PROJECT_PAGE + "/people"): _reads(_MEMBERS),
    ("POST", _PROJECT_PAGE + "/people"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/people/{email}/reveal"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/people/{email}/remove"): _governs(_OWNER),
    ("GET", "/schedulers"): _PERSON,  # as the API: of one's projects; an admin or auditor all
    ("POST", "/schedulers/jobs/{scheduler_job}/cancel"): _ADMIN,
    ("GET", "/tokens"): _USER,  # one's own; an admin or auditor anybody's
    ("POST", "/tokens"): _PERSON,
    ("POST", "/tokens/{id}/revoke"): _USER,
    ("GET", "/settings"): _SUPERVISION,
    ("GET", "/people"): _SUPERVISION,
    ("POST", "/people"): _ADMIN,
    ("POST", "/people/{email}/role"): _ADMIN,
    ("POST", "/people/{email}/deactivate"): _ADMIN,
    ("POST", "/people/{email}/activate"): _ADMIN,
    ("POST", "/people/{email}/link"): _ADMIN,
    ("GET", "/audit"): _SUPERVISION,
    ("GET", _PROJECT_PAGE + "/policy"): _reads(_MEMBERS),
    ("GET", _PROJECT_PAGE + "/policies"): _reads(_MEMBERS),
    ("GET", _PROJECT_PAGE + "/policies/compare"): _reads(_MEMBERS),
    ("GET", _PROJECT_PAGE + "/policies/{digest}"): _reads(_MEMBERS),
    ("POST", _PROJECT_PAGE + "/policies/{digest}/suggest"): _governs(_AUTHORS),
    ("GET", _PROJECT_PAGE + "/suggestions"): _reads(_MEMBERS),
    ("POST", _PROJECT_PAGE + "/suggestions"): _governs(_AUTHORS),
    ("GET", _PROJECT_PAGE + "/suggestions/new"): _reads(_AUTHORS),
    ("GET", _PROJECT_PAGE + "/suggestions/{id}"): _reads(_MEMBERS),
    ("GET", _PROJECT_PAGE + "/suggestions/{id}/edit"): _reads(_AUTHORS),
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/edit"): _governs(_AUTHORS),
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/rebase"): _governs(_AUTHORS),
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/withdraw"): _governs(_AUTHORS),  # a contributor his own
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/approve"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/request-changes"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/reject"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/break-glass"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/after-review"): _votes(_OWNER),  # never one's own
    ("POST", _PROJECT_PAGE + "/suggestions/{id}/comments"): _votes(_AUTHORS),
    ("GET", _PROJECT_PAGE + "/editor"): _reads(_AUTHORS),
    ("POST", _PROJECT_PAGE + "/editor"): Rule(Audience.PROJECT, _AUTHORS),  # shows what the form makes; keeps nothing
    ("POST", _PROJECT_PAGE + "/editor/suggest"): _governs(_AUTHORS),
    ("GET", "/first-steps"): _SUPERVISION,
    ("POST", "/first-steps"): _ADMIN,
    ("GET", _PROJECT_PAGE + "/first-steps"): _reads(_MEMBERS),
    ("POST", _PROJECT_PAGE + "/first-steps/key"): _governs(_OWNER),
    ("POST", _PROJECT_PAGE + "/first-steps/person"): _governs(_OWNER),
    ("GET", _PROJECT_PAGE + "/first-steps/customers.csv"): _reads(_MEMBERS),
}
