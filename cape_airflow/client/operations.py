"""Every call of the API as a conversation (see `protocol`). The two clients carry these names, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from cape_airflow.client.address import path_of
from cape_airflow.client.asking import given
from cape_airflow.client.protocol import Answer, Conversation, Request, json_of, nothing
from cape_airflow.client.results import (
    ApprovedPolicy,
    AuditEntry,
    Contributor,
    Job,
    KeyMaterial,
    NewToken,
    Project,
    ProjectKey,
    SignedPolicy,
    SigningKey,
    Token,
    User,
    Version,
)
from cape_airflow.client.retry import Limits, exchange
from cape_airflow.client.review_operations import ReviewOperations
from cape_airflow.client.trust import TrustedKeys, check, trusted_keys
from cape_airflow.jobs import JobFinish, JobStart, Progress, Verification
from cape_airflow.keys import Key


class Operations(ReviewOperations):
    """What can be asked of a coordinator, and what is remembered between calls: trusted keys and policies by ETag.

    Args:
        limits: what one call may cost.
        signing_keys: public keys that approvals may be signed with, base64url; None: those that the coordinator names
            at the first fetch.

    All calls raise CoordinatorUnavailable, CoordinatorRefused or CoordinatorProtocolError; `policy` and `start_job`
    also raise NotApproved.
    """

    def __init__(self, limits: Limits, signing_keys: tuple[str, ...] | None = None) -> None:
        super().__init__(limits)
        self._trusted: TrustedKeys | None = None if signing_keys is None else trusted_keys(signing_keys)
        self._policies: dict[str, tuple[str, SignedPolicy]] = {}

    # The coordinator and oneself

    def version(self) -> Conversation[Version]:
        """Return the coordinator's version."""
        return self.call(Request("GET", path_of("version"), json_of(Version)))

    def signing_keys(self) -> Conversation[tuple[SigningKey, ...]]:
        """Return the public keys that approvals are signed with, as the coordinator names them."""
        return self._list(("signing-keys",), SigningKey)

    def me(self) -> Conversation[User]:
        """Return the user whose token this is."""
        return self.call(Request("GET", path_of("me"), json_of(User)))

    # Policies

    def policy(self, project: str, digest: str | None = None) -> Conversation[ApprovedPolicy]:
        """Return the approved policy of a project, after every check of `trust`.

        Args:
            project: label.
            digest: any digest that was approved in the project; None for the one that is approved now.

        Raises:
            NotApproved: there is none, or what came is not what was approved.
        """
        expiry = self._limits.expiry()
        path = path_of("projects", project, *(("policies", digest) if digest else ("policy",)))
        request = _policy_request(path, self._policies.get(path))
        etag, signed = yield from exchange(request, self._limits, expiry)
        if self._trusted is None:
            listed = yield from self._list(("signing-keys",), SigningKey, expiry=expiry)
            self._trusted = trusted_keys(key.public_key for key in listed)
        approved = check(signed, self._trusted, project, digest)
        self._policies[path] = (etag, signed)
        return approved

    # Projects and people

    def projects(self, limit: int | None = None) -> Conversation[tuple[Project, ...]]:
        """Return the projects that one is a member of; all of them for an admin."""
        return self._list(("projects",), Project, limit)

    def create_project(
        self, name: str, label: str | None = None, description: str | None = None
    ) -> Conversation[Project]:
        """Create a project; the coordinator makes the label from the name where none is given."""
        body = {"name": name, "label": label, "description": description}
        return self._create(("projects",), Project, given(body))

    def project(self, label: str) -> Conversation[Project]:
        """Return one project."""
        return self.call(Request("GET", path_of("projects", label), json_of(Project)))

    def update_project(
        self, label: str, name: str | None = None, description: str | None = None
    ) -> Conversation[Project]:
        """Give a project another name or description; None leaves it as it is."""
        body = given({"name": name, "description": description})
        return self.call(Request("PATCH", path_of("projects", label), json_of(Project), body, repeatable=True))

    def contributors(self, project: str) -> Conversation[tuple[Contributor, ...]]:
        """Return the members of a project."""
        return self._list(("projects", project, "contributors"), Contributor)

    def set_contributor(self, project: str, email: str, role: str) -> Conversation[None]:
        """Make somebody a member of a project, or give a member another role."""
        path = path_of("projects", project, "contributors", email)
        return self.call(Request("PUT", path, nothing, {"role": role}))

    def remove_contributor(self, project: str, email: str) -> Conversation[None]:
        """Take somebody out of a project."""
        return self.call(Request("DELETE", path_of("projects", project, "contributors", email), nothing))

    def create_user(self, email: str, name: str, role: str = "user") -> Conversation[User]:
        """Create a user: ``user`` or ``admin``."""
        return self._create(("users",), User, {"email": email, "name": name, "role": role})

    def users(self, limit: int | None = None) -> Conversation[tuple[User, ...]]:
        """Return the users."""
        return self._list(("users",), User, limit)

    def set_role(self, email: str, role: str) -> Conversation[User]:
        """Make a user ``user``, ``auditor`` or ``admin`` of the whole deployment."""
        return self.call(Request("PUT", path_of("users", email, "role"), json_of(User), {"role": role}))

    def deactivate_user(self, email: str) -> Conversation[User]:
        """End a user's access at once: sessions, tokens and links."""
        return self._create(("users", email, "deactivate"), User, {})

    def activate_user(self, email: str) -> Conversation[User]:
        """Let a user in again, who needs a new token then."""
        return self._create(("users", email, "activate"), User, {})

    def create_worker(self, project: str, email: str, name: str) -> Conversation[User]:
        """Create a service account that is a worker of the project, and nothing elsewhere."""
        return self._create(("projects", project, "workers"), User, {"email": email, "name": name})

    def create_worker_token(
        self, project: str, email: str, description: str, expires_in_days: int | None = None
    ) -> Conversation[NewToken]:
        """Create an API token for a service account of the project. The token is shown only now."""
        body = given({"description": description, "expires_in_days": expires_in_days})
        return self._create(("projects", project, "workers", email, "tokens"), NewToken, body)

    # API tokens

    def create_token(
        self, description: str, user_email: str | None = None, expires_in_days: int | None = None
    ) -> Conversation[NewToken]:
        """Create an API token for oneself, or as an admin for another user. The token is shown only now."""
        body = {"description": description, "user_email": user_email, "expires_in_days": expires_in_days}
        return self._create(("tokens",), NewToken, given(body))

    def tokens(self, limit: int | None = None) -> Conversation[tuple[Token, ...]]:
        """Return what is known of one's tokens; of everybody's for an admin."""
        return self._list(("tokens",), Token, limit)

    def revoke_token(self, token_id: str) -> Conversation[None]:
        """Make a token worthless at once."""
        return self.call(Request("DELETE", path_of("tokens", token_id), nothing))

    # Project keys

    def create_key(
        self, project: str, name: str, size: int | None = None, rotate_after_days: int | None = None
    ) -> Conversation[ProjectKey]:
        """Have the coordinator generate a key of 32 or 64 bytes; None leaves the size to it."""
        body = {"name": name, "bytes": size, "rotate_after_days": rotate_after_days}
        return self._create(("projects", project, "keys"), ProjectKey, given(body))

    def keys(self, project: str) -> Conversation[tuple[ProjectKey, ...]]:
        """Return what is known of the project's keys; never their material."""
        return self._list(("projects", project, "keys"), ProjectKey)

    def rotate_key(self, project: str, name: str) -> Conversation[ProjectKey]:
        """Add a version to a key and make it the primary one."""
        return self._create(("projects", project, "keys", name, "rotate"), ProjectKey, None)

    def set_key_rotation(self, project: str, name: str, days: int | None) -> Conversation[ProjectKey]:
        """Say after how many days a key is to be rotated; None where nobody is to be reminded."""
        path = path_of("projects", project, "keys", name)
        body = {"rotate_after_days": days}
        return self.call(Request("PATCH", path, json_of(ProjectKey), body, repeatable=True))

    def retire_key(self, project: str, name: str, version: int) -> Conversation[ProjectKey]:
        """Let an older version of a key reveal what it has made, and make nothing new."""
        return self._create(("projects", project, "keys", name, "versions", str(version), "retire"), ProjectKey, None)

    def destroy_key(self, project: str, name: str, version: int, confirm: str) -> Conversation[ProjectKey]:
        """Erase a retired version of a key for ever; `confirm` is the name of the key once more."""
        path = ("projects", project, "keys", name, "versions", str(version), "destroy")
        return self._create(path, ProjectKey, {"confirm": confirm})

    def set_reveal(self, project: str, email: str, may_reveal: bool) -> Conversation[Contributor]:
        """Let a worker turn tokens of the project back, or no longer."""
        path = path_of("projects", project, "contributors", email, "reveal")
        return self.call(Request("PUT", path, json_of(Contributor), {"may_reveal": may_reveal}))

    def key_material(self, project: str, name: str) -> Conversation[Key]:
        """Return a key with its material, to apply it. For workers only; every such call is audited."""
        return self.call(Request("GET", path_of("projects", project, "keys", name, "material"), _key(name)))

    def reveal_key(self, project: str, name: str, purpose: str, row_limit: int) -> Conversation[Key]:
        """Return a key with its material, to turn tokens back; audited with what for, and of how many rows at most."""
        path = path_of("projects", project, "keys", name, "reveal")
        body = {"purpose": purpose, "row_limit": row_limit}
        return self.call(Request("POST", path, _key(name), body, repeatable=True))

    # Jobs and the audit log

    def start_job(self, project: str, start: JobStart) -> Conversation[Job]:
        """Tell that a job starts; the same job again is its next attempt. Return it as the coordinator now knows it.

        Raises:
            NotApproved: the policy is not approved in the project.
        """
        path = path_of("projects", project, "jobs", start.job_id)
        return self.call(Request("PUT", path, _job(start.job_id), start))

    def heartbeat(self, project: str, job_id: str, progress: Progress) -> Conversation[Job]:
        """Tell how far a job is."""
        return self._report(project, job_id, "heartbeat", progress)

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> Conversation[Job]:
        """Tell how a job ended; telling the same twice is fine."""
        return self._report(project, job_id, "finish", finish)

    def verify_job(self, project: str, job_id: str, found: Verification) -> Conversation[Job]:
        """Tell what was found when the output of a job was read again."""
        return self._report(project, job_id, "verdicts", found)

    def jobs(self, project: str, limit: int | None = None) -> Conversation[tuple[Job, ...]]:
        """Return the jobs of a project."""
        return self._list(("projects", project, "jobs"), Job, limit)

    def job(self, project: str, job_id: str) -> Conversation[Job]:
        """Return one job."""
        return self.call(Request("GET", path_of("projects", project, "jobs", job_id), _job(job_id)))

    def audit(self, limit: int | None = None) -> Conversation[tuple[AuditEntry, ...]]:
        """Return the audit log, newest first. For admins."""
        return self._list(("audit",), AuditEntry, limit)

    def _report(self, project: str, job_id: str, what: str, body: BaseModel) -> Conversation[Job]:
        path = path_of("projects", project, "jobs", job_id, what)
        return self.call(Request("POST", path, _job(job_id), body, repeatable=True))


def _policy_request(path: str, known: tuple[str, SignedPolicy] | None) -> Request[tuple[str, SignedPolicy]]:
    """Ask for a policy with its ETag; where one is known, only for a newer one."""
    parse = json_of(SignedPolicy)
    if known is None or not known[0]:
        return Request("GET", path, lambda answer: (answer.headers.get("etag", ""), parse(answer)))
    return Request(
        "GET",
        path,
        lambda answer: known if answer.status == 304 else (answer.headers.get("etag", ""), parse(answer)),
        headers={"If-None-Match": known[0]},
        accepts=(200, 304),
    )


def _job(job_id: str) -> Callable[[Answer], Job]:
    """Take nothing but this job for an answer: a status alone may come from a proxy, which would lose the report."""
    read_job = json_of(Job)

    def parse(answer: Answer) -> Job:
        job = read_job(answer)
        if job.job_id != job_id:
            raise ValueError("it is about another job")
        return job

    return parse


def _key(name: str) -> Callable[[Answer], Key]:
    return lambda answer: json_of(KeyMaterial)(answer).key(name)
