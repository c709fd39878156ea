"""One authorised request: who asks, about which project, in which transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.clock import Clock
from cape_airflow.coordinator.permissions import Role
from cape_airflow.coordinator.root_key import RootKey
from cape_airflow.coordinator.seals import Seals
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.signing import Signer
from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.models import AuditRow, BrowserSession, Project, Token, User
from cape_airflow.coordinator.throttle import Throttle


@dataclass(frozen=True)
class Coordinator:
    """What one process holds besides the store: settings, keys and the clock; nothing that another replica needs."""

    settings: Settings
    store: Store
    root_key: RootKey = field(repr=False)
    signer: Signer = field(repr=False)
    seals: Seals = field(repr=False)
    clock: Clock
    throttle: Throttle


@dataclass(frozen=True)
class Caller:
    """Who asks, and what he came with: an API token, or a browser's session, or neither where Airflow vouches for him.

    Args:
        csrf_token: what forms of his pages must carry; None with an API token, which no browser sends by itself.
        via: where he said it, and which of his answers there it is; None where he says it here.
    """

    user: User
    token: Token | None = None
    browser: BrowserSession | None = None
    csrf_token: str | None = None
    via: str | None = None


@dataclass(frozen=True)
class Call:
    """What the rules of the coordinator are told about a request.

    Args:
        session: the transaction that the request succeeds or fails with.
        caller: who asks; None while somebody logs in.
        about: the project in the route; None where there is none.
        now: the moment of the request; one for all that it writes.
        request_id, client_address: None for what is done on the coordinator's own machine.
    """

    coordinator: Coordinator
    session: Session
    caller: Caller | None
    about: Project | None
    now: datetime
    request_id: str | None
    client_address: str | None

    @property
    def user(self) -> User:
        """Who asks."""
        if self.caller is None:
            raise RuntimeError("a route for everybody asks who it is")
        return self.caller.user

    @property
    def token(self) -> Token | None:
        """The API token that the caller came with; None where he came with something else."""
        return self.caller.token if self.caller else None

    @property
    def expires_at(self) -> datetime | None:
        """When what the caller came with expires; None where that is not for us to say."""
        brought = (self.caller.token or self.caller.browser) if self.caller else None
        return brought.expires_at if brought else None

    @property
    def via(self) -> str | None:
        """Where the caller said what is asked for, and which of his answers there it is; None where it is here."""
        return self.caller.via if self.caller else None

    @property
    def csrf_token(self) -> str | None:
        """What the forms of a page must carry, in the field ``csrf_token``; None where the caller has an API token."""
        return self.caller.csrf_token if self.caller else None

    @property
    def project(self) -> Project:
        """The project in the route; the guard has found it, and the caller's role in it."""
        if self.about is None:
            raise RuntimeError("a route without {label} asks for its project")
        return self.about

    @property
    def seals(self) -> Seals:
        """Puts seals on the rows that this request makes, and looks at those it goes by."""
        return self.coordinator.seals

    @property
    def by_admin(self) -> bool:
        """Whether a global admin asks."""
        return self.user.role is Role.ADMIN

    @property
    def sees_all(self) -> bool:
        """Whether the caller sees what belongs to others: an admin or an auditor."""
        return self.user.role is not Role.USER

    def record(self, event: Event, target_type: str, target_id: str, target_label: str | None = None) -> None:
        """Write an audit row; it is there when, and only when, the effect is."""
        self.session.add(
            AuditRow(
                time=self.now,
                event=event.value,
                user_id=self.caller.user.id if self.caller else None,
                user_email=self.caller.user.email if self.caller else None,
                project=self.about.label if self.about else None,
                target_type=target_type,
                target_id=target_id,
                target_label=target_label,
                request_id=self.request_id,
                client_address=self.client_address,
            )
        )
