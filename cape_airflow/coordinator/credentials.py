"""Who is it: an API token in the header, the cookie of a browser's session, or whom the system around us names."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy.orm import Session

from cape_airflow.coordinator.access import address_of, authenticate, note_use, presented_token, unauthenticated
from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.call import Caller, Coordinator
from cape_airflow.coordinator.csrf import csrf_token
from cape_airflow.coordinator.identities import Identity, IdentityProvider, bound
from cape_airflow.coordinator.sessions import find_session, presented_session
from cape_airflow.coordinator.tickets import Ticket

Credential = ApiToken | Ticket | Identity


async def presented_credential(request: Request, coordinator: Coordinator) -> Credential:
    """Return what the caller shows, not yet checked. A header comes before a cookie: it was sent on purpose.

    Raises:
        Problem: 401; or 429 after too many failures from one address.
    """
    if "authorization" in request.headers:
        return presented_token(request, coordinator)
    provider: IdentityProvider | None = request.app.state.identity
    found = await provider.identify(request) if provider else presented_session(request)
    return found or presented_token(request, coordinator)


def identify(
    request: Request, coordinator: Coordinator, session: Session, credential: Credential, *, writes: bool
) -> Caller:
    """Return who the credential belongs to, and note that it is in use.

    Raises:
        Problem: 401; 429 after too many failures from one address; 403 ``tampered``.
    """
    if isinstance(credential, Identity):
        return _by_identity(coordinator, session, credential)
    if isinstance(credential, Ticket):
        return _by_session(coordinator, session, credential, writes=writes)
    token = authenticate(coordinator, session, credential, address_of(request))
    note_use(coordinator, session, token, writes=writes, now=coordinator.clock())
    return Caller(token.user, token=token)


def _by_session(coordinator: Coordinator, session: Session, ticket: Ticket, *, writes: bool) -> Caller:
    now = coordinator.clock()
    browser = find_session(session, ticket, now)
    if browser is None:
        raise unauthenticated("this session is over; log in again")
    coordinator.seals.check(browser, browser.user)
    if browser.user.deactivated_at is not None:
        raise unauthenticated("this account is deactivated; ask an admin")
    note_use(coordinator, session, browser, writes=writes, now=now)
    return Caller(browser.user, browser=browser, csrf_token=csrf_token(coordinator.root_key, browser.id))


def _by_identity(coordinator: Coordinator, session: Session, identity: Identity) -> Caller:
    user = bound(coordinator, session, identity)
    if user is None:
        raise unauthenticated("somebody changes your account at this moment; try again")
    return Caller(user, csrf_token=csrf_token(coordinator.root_key, f"{identity.issuer} {identity.subject}"))
