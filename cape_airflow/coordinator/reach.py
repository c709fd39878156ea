"""In which projects the caller may do a thing, by the permission table: for pages, which ask before they show.

A page of one project has a row in the table of its own. One of several projects shows, of each, what the row of the
route that it stands for lets the caller see. A page offers a form only to those whom the row behind it lets through.
"""

from __future__ import annotations

from sqlalchemy import select

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.permissions import PERMISSIONS, Audience, Role, Rule
from cape_airflow.coordinator.store.models import Contributor, Project


def projects_open_to(call: Call, method: str, path: str) -> list[Project]:
    """Return the projects in which the guard of that route would let the caller pass, by label.

    Args:
        method, path: of a route about one project, as the permission table names it.

    Raises:
        Problem: 403 ``tampered`` where a project or a role in it was edited in the database.
    """
    rule = PERMISSIONS[method, path]
    if call.user.role is not Role.USER and _everywhere(rule, call.user.role):
        projects = list(call.session.scalars(select(Project).order_by(Project.label)))
        call.seals.check(*projects)
        return projects
    if call.user.role is Role.AUDITOR:
        return []  # whatever a project calls him
    memberships = call.session.scalars(select(Contributor).where(Contributor.user_seq == call.user.seq)).all()
    call.seals.check(*memberships, *(membership.project for membership in memberships))
    mine = (membership.project for membership in memberships if membership.role in rule.roles)
    return sorted(mine, key=lambda project: project.label)


def may(call: Call, method: str, path: str) -> bool:
    """Whether the guard of that route would let the caller pass, in the project that he looks at where it is about one.

    Args:
        method, path: of a route for admins or about a project, as the permission table names it.
    """
    rule = PERMISSIONS[method, path]
    if rule.audience is Audience.ADMIN:
        return call.by_admin or (rule.auditor and call.sees_all)
    return any(project.seq == call.project.seq for project in projects_open_to(call, method, path))


def _everywhere(rule: Rule, role: Role) -> bool:
    """Whether what one is to the whole deployment is enough."""
    return rule.admin if role is Role.ADMIN else rule.auditor
