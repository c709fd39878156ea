"""In which projects the caller may do a thing, by the permission table: for pages, which ask before they show.

A page of one project has a row in the table of its own. One of several projects shows, of each, what the row of the
route that it stands for lets the caller see. A page offers a form only to those whom the row behind it lets through.
"""

from __future__ import annotations

from sqlalchemy import Select, select

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.permissions import PERMISSIONS, Audience, Role, Rule
from cape_airflow.coordinator.review import names_auditors
from cape_airflow.coordinator.store.models import Contributor, Project


def projects_open_to(call: Call, method: str, path: str) -> list[Project]:
    """Return the projects in which the guard of that route would let the caller pass, by label.

    Args:
        method, path: of a route about one project, as the permission table names it.

    Raises:
        Problem: 403 ``tampered`` where a project or a role in it was edited in the database.
    """
    return _open(call, PERMISSIONS[method, path], select(Project).order_by(Project.label))


def may(call: Call, method: str, path: str) -> bool:
    """Whether the guard of that route would let the caller pass, in the project that he looks at where it is about one.

    Args:
        method, path: of a route for admins or about a project, as the permission table names it.

    Raises:
        Problem: 403 ``tampered``.
    """
    rule = PERMISSIONS[method, path]
    if rule.audience is Audience.ADMIN:
        return call.by_admin or (rule.auditor and call.sees_all)
    return bool(_open(call, rule, select(Project).where(Project.seq == call.project.seq)))


def _open(call: Call, rule: Rule, asked: Select[Project]) -> list[Project]:
    projects = list(call.session.scalars(asked if call.sees_all else asked.where(Project.seq.in_(_own(call)))))
    memberships = call.session.scalars(select(Contributor).where(Contributor.user_seq == call.user.seq)).all()
    call.seals.check(*projects, *memberships)
    if call.user.role is Role.AUDITOR:  # whatever a project calls him
        return [each for each in projects if rule.auditor or (rule.voter and _votes_in(call, each))]
    if call.by_admin and rule.admin:
        return projects
    mine = {membership.project_seq for membership in memberships if membership.role in rule.roles}
    return [project for project in projects if project.seq in mine]


def _own(call: Call) -> Select[int]:
    return select(Contributor.project_seq).where(Contributor.user_seq == call.user.seq)


def _votes_in(call: Call, project: Project) -> bool:
    return names_auditors(call.seals, call.session, project)
