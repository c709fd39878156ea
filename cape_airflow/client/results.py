"""What the coordinator answers, typed and frozen. Fields that a newer coordinator adds are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, PlainValidator

from cape_airflow.jobs import ColumnCounts, JobState, Progress, Verification
from cape_airflow.keys import Secret
from cape_airflow.keys.written import WrittenKey
from cape_airflow.policy import Policy

Item = TypeVar("Item")
_SOON = timedelta(days=14)


def _secret(value: object) -> Secret:
    if not isinstance(value, str):
        raise ValueError("not text")
    return Secret(value.encode())


class Result(BaseModel):
    """What came; frozen."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(Result, Generic[Item]):
    """One page of a list; `next` is the cursor of the page after it, None at the end."""

    items: tuple[Item, ...]
    next: str | None = None


class Version(Result):
    """The version of the coordinator."""

    version: str


class SigningKey(Result):
    """An Ed25519 public key that approvals are signed with, base64url."""

    key_id: str
    public_key: str


class Membership(Result):
    """A project that a user belongs to, and as what."""

    label: str
    role: str


class User(Result):
    """A user; `projects` is only known of oneself."""

    id: str
    email: str
    name: str
    role: str
    deactivated_at: AwareDatetime | None = None
    projects: tuple[Membership, ...] = ()


class Contributor(Result):
    """A member of a project: project-owner, project-contributor, project-reader or worker.

    `may_reveal` says of a worker whether he may turn tokens back.
    """

    email: str
    name: str
    role: str
    may_reveal: bool = False


class Project(Result):
    """A project: pending until it has an approved policy, then active."""

    label: str
    name: str
    description: str
    status: str
    policy_digest: str | None


class SignedPolicy(Result):
    """An approved policy as it came: nothing in it is believed before `trust` has checked it."""

    project: str
    digest: str
    policy: str
    approval: Mapping[str, JsonValue]
    signature: str


class Approval(Result):
    """What was signed when a policy was approved."""

    project: str
    digest: str
    suggestion_id: str
    approved_at: datetime
    key_id: str
    expires_at: AwareDatetime | None = None
    break_glass: bool = False

    def has_run_out(self, now: datetime) -> bool:
        """Whether the policy must be certified again before it runs."""
        return self.expires_at is not None and now >= self.expires_at

    def warnings(self, now: datetime) -> Iterator[str]:
        """Yield what whoever runs it should know: it ends within two weeks, or nobody has reviewed it."""
        if self.break_glass:
            yield "this policy was put in force without a review (break-glass); an after-review is due"
        if self.expires_at is not None and self.expires_at - now <= _SOON:
            yield f"the approval of this policy ends on {self.expires_at:%Y-%m-%d %H:%M} UTC; have it certified again"


@dataclass(frozen=True)
class ApprovedPolicy:
    """A policy that was checked: its digest is that of its text, and the approval of that digest is signed.

    Args:
        project: label.
        digest: 64 lower-case hex digits.
        text: as it was reviewed.
        policy: the same, loaded.
        approval: which suggestion was approved, and when.
    """

    project: str
    digest: str
    text: str
    policy: Policy
    approval: Approval


class Token(Result):
    """What is known of an API token; never the token itself."""

    id: str
    description: str
    user_email: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewToken(Token):
    """An API token at its making, the only time it is shown."""

    token: Annotated[Secret, PlainValidator(_secret)]


class KeyVersion(Result):
    """One version of a project key: enabled, retired or destroyed.

    `receipt` is what the audit log names a destroyed one by.
    """

    version: int
    created_at: datetime
    state: str = "enabled"
    retired_at: datetime | None = None
    destroyed_at: datetime | None = None
    receipt: str | None = None


class ProjectKey(Result):
    """What is known of a project key; never its material. New tokens are made with version `primary`."""

    name: str
    primary: int
    versions: tuple[KeyVersion, ...]
    rotate_after_days: int | None = None
    rotation_due_at: datetime | None = None
    near_rotation: bool = False

    def primary_between(self, begin: datetime, end: datetime) -> frozenset[int]:
        """Return the versions that were the primary one at some moment of a time: what new tokens may be made with."""
        ends = [version.created_at for version in self.versions[1:]] + [None]
        return frozenset(
            version.version
            for version, until in zip(self.versions, ends, strict=True)
            if version.created_at <= end and (until is None or until >= begin)
        )


class KeyMaterial(WrittenKey):
    """A key in clear, as a worker gets it: he reveals only where the coordinator says that he may."""

    may_reveal: bool = False


class Job(Result):
    """One run of a plan, as the coordinator knows it.

    Args:
        attempts: how often it was started.
        heartbeat_at: when it was last heard of, on the coordinator's clock; the other times are the worker's.
        columns: what each input column got; empty until it is finished.
        error: class name and message of the failure, without values.
        application_id: of the Spark application of the newest attempt that told it at its start.
        verification: what was found when the output was read again; None where nobody has.
    """

    project: str
    job_id: str
    state: JobState
    attempts: int
    policy_digest: str
    engine: str
    kernels: str
    source: str
    target: str
    origin: Mapping[str, str]
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    progress: Progress
    columns: tuple[ColumnCounts, ...]
    warnings: tuple[str, ...]
    error: str | None
    application_id: str | None = None
    verification: Verification | None = None


class AuditEntry(Result):
    """One event of the audit log; `seq` orders them."""

    seq: int
    time: datetime
    event: str
    user_id: str | None
    user_email: str | None
    project: str | None
    target_type: str
    target_id: str
    target_label: str | None
    request_id: str | None
    client_address: str | None
