"""Projects and who belongs to them. A project never loses its last owner."""

from __future__ import annotations

import re

from sqlalchemy import Select, select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.people import find_user
from cape_airflow.coordinator.permissions import ProjectRole
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.store.models import Contributor, Project, User

_MEMBERS = (ProjectRole.OWNER, ProjectRole.CONTRIBUTOR, ProjectRole.READER)


def create_project(call: Call, name: str, label: str | None, description: str) -> Project:
    """Make a project; whoever makes it becomes its first owner.

    Args:
        label: what URLs, DAGs and jobs name it by, for ever; made from the name where it is None.

    Raises:
        Problem: 409 where the label is taken; 422 where the name gives none.
    """
    label = label or _label_from(name)
    if call.session.scalar(select(Project.seq).where(Project.label == label)) is not None:
        raise Problem(409, "already-exists", "there is a project with this label already")
    project = Project(id=new_id(call.now), label=label, name=name, description=description, created_at=call.now)
    owner = _contributor(call, project, call.user, ProjectRole.OWNER)
    for row in (project, owner):
        call.seals.put(row)
        call.session.add(row)
    call.record(Event.CREATE_PROJECT, "project", project.id, label)
    return project


def projects(call: Call) -> Select[Project]:
    """Return the query of the projects that the caller is a member of; as an admin or auditor, of all."""
    if call.sees_all:
        return select(Project)
    mine = select(Contributor.project_seq).where(Contributor.user_seq == call.user.seq, Contributor.role.in_(_MEMBERS))
    return select(Project).where(Project.seq.in_(mine))


def update_project(call: Call, name: str | None, description: str | None) -> Project:
    """Change what is not None."""
    project = call.project
    project.name = project.name if name is None else name
    project.description = project.description if description is None else description
    call.record(Event.UPDATE_PROJECT, "project", project.id, project.label)
    return project


def set_contributor(call: Call, email: str, role: ProjectRole) -> Contributor:
    """Give another user a role in the project, in place of the one he had.

    Who decides on policies gets no keys: a worker is nothing else in the project, and nobody makes himself one.

    Raises:
        Problem: 404 where there is no such user; 403 ``own-role``; 409 ``other-role`` for a worker who is something
            else, or something else that is a worker; 403 ``tampered``.
    """
    user = find_user(call.session, email)
    if user is None:
        raise missing("user")
    call.seals.check(user)
    if user.id == call.user.id:
        raise Problem(403, "own-role", "nobody changes his own role; ask another owner")
    contributor = _find(call, email)
    if contributor is None:
        contributor = _contributor(call, call.project, user, role)
    elif contributor.role is not role and ProjectRole.WORKER in (contributor.role, role):
        raise Problem(409, "other-role", "a worker has no other role in the project; remove him from it first")
    contributor.role = role
    call.seals.put(contributor)
    call.session.add(contributor)
    call.record(Event.UPDATE_CONTRIBUTOR, "contributor", user.id, f"{email} {role}")
    return contributor


def set_reveal(call: Call, email: str, may_reveal: bool) -> Contributor:
    """Let a worker reveal what the project's keys have hidden, or no longer.

    Raises:
        Problem: 404 where he is not in the project; 409 ``not-a-worker``; 403 ``tampered``.
    """
    worker = _find(call, email)
    if worker is None:
        raise missing("contributor")
    call.seals.check(worker)
    if worker.role is not ProjectRole.WORKER:
        raise Problem(409, "not-a-worker", "only workers get keys, so only they can be let reveal")
    worker.may_reveal = may_reveal
    call.seals.put(worker)
    call.record(Event.GRANT_REVEAL if may_reveal else Event.WITHDRAW_REVEAL, "contributor", worker.user.id, email)
    return worker


def remove_contributor(call: Call, email: str) -> None:
    """Take a user out of the project; he loses all access to it at once.

    Raises:
        Problem: 404 where he is not in it; 409 where he is the last owner.
    """
    contributor = _find(call, email)
    if contributor is None:
        raise missing("contributor")
    _keep_an_owner(call, contributor)
    call.session.delete(contributor)
    call.record(Event.REMOVE_CONTRIBUTOR, "contributor", contributor.user.id, email)


def contributors(call: Call) -> Select[Contributor]:
    """Return the query of everybody in the project."""
    return select(Contributor).where(Contributor.project_seq == call.project.seq)


def _contributor(call: Call, project: Project, user: User, role: ProjectRole) -> Contributor:
    return Contributor(project=project, user=user, role=role, may_reveal=False, created_at=call.now)


def _find(call: Call, email: str) -> Contributor | None:
    return call.session.scalar(contributors(call).where(Contributor.user.has(email=email)))


def _keep_an_owner(call: Call, contributor: Contributor) -> None:
    owns = Contributor.project_seq == call.project.seq, Contributor.role == ProjectRole.OWNER
    active = select(Contributor.seq).where(*owns, Contributor.user.has(User.deactivated_at.is_(None)))
    if contributor.role is ProjectRole.OWNER and not set(call.session.scalars(active)) - {contributor.seq}:
        raise Problem(409, "last-owner", "this is the last owner; make somebody else an owner first")


def _label_from(name: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].strip("-")
    if not label:
        raise Problem(422, "invalid", "body.label: the name has no letter or digit to make a label from; give one")
    return label
