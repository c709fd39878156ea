"""Single sign-on with an OpenID provider: the code flow with PKCE (OpenID Connect Core 1.0, RFC 6749, RFC 7636).

What must come back from the provider (state, nonce, code verifier) waits in an encrypted cookie of the browser, so that
any replica can go on with it. The provider's addresses and keys are asked for at each log in: there are few of those,
and keys may be replaced.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from pydantic import TypeAdapter, ValidationError

from cape_airflow.coordinator.api.shapes import Email, Line
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.identities import Identity, RoleMapping
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.tickets import Ticket
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import from_base64url, to_base64url

try:  # Authlib speaks by it where it is installed, and calls for it where it is not
    from httpx2 import HTTPError
except ModuleNotFoundError:
    from httpx import HTTPError  # type: ignore[assignment]

with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError  # type: ignore[import-untyped]

COOKIE = "cape_sign_on"
LIFE = timedelta(minutes=10)

_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
_SKEW_SECONDS = 60
_SECONDS = 10.0
_PLACE = "single sign-on"


@dataclass(frozen=True)
class SignOn:
    """A log in that is under way at the provider.

    Args:
        redirect_uri: where the provider sends the browser back to.
        back: where the user wants to go then.
        state, nonce, verifier: what the provider's answer must fit.
        until: seconds since 1970 until which it must come.
    """

    redirect_uri: str
    back: str
    state: str
    nonce: str
    verifier: str
    until: float

    @classmethod
    def begin(cls, coordinator: Coordinator, redirect_uri: str, back: str) -> SignOn:
        """Return a new one, with random values of 256 bits."""
        state, nonce, verifier = (Ticket.generate().write() for _ in range(3))
        return cls(redirect_uri, back, state, nonce, verifier, (coordinator.clock() + LIFE).timestamp())

    def seal(self, coordinator: Coordinator) -> str:
        """Return the text of the cookie, which nobody else can read or make."""
        secret = Secret(json.dumps(asdict(self)).encode())
        return to_base64url(coordinator.root_key.wrap(secret, _PLACE))

    @classmethod
    def open(cls, coordinator: Coordinator, cookie: str) -> SignOn:
        """Return the one that waits in the cookie.

        Raises:
            Problem: 403 ``sign-on-over`` where there is none, or it took too long.
        """
        try:
            waiting = cls(**json.loads(coordinator.root_key.unwrap(from_base64url(cookie), _PLACE).reveal()))
        except (ValueError, KeyUnavailable):
            raise _over() from None
        if coordinator.clock().timestamp() > waiting.until:
            raise _over()
        return waiting


async def address_to_log_in(coordinator: Coordinator, sign_on: SignOn) -> str:
    """Return where at the provider the browser goes.

    Raises:
        Problem: 404 where there is no provider; 502 where it does not answer.
    """
    async with _client(coordinator, sign_on.redirect_uri) as client:
        provider = await _discover(coordinator, client)
        url, _ = client.create_authorization_url(
            provider["authorization_endpoint"],
            state=sign_on.state,
            nonce=sign_on.nonce,
            code_verifier=sign_on.verifier,
        )
    return str(url)


async def identity_of(coordinator: Coordinator, sign_on: SignOn, state: str, code: str) -> Identity:
    """Return whom the provider vouches for.

    Raises:
        Problem: 403 ``sign-on-over`` for another state; ``sign-on-refused`` where the code or the token of the provider
            is not good; ``unverified-email``; 404 where there is no provider; 502 where it does not answer.
    """
    if state != sign_on.state:
        raise _over()
    async with _client(coordinator, sign_on.redirect_uri) as client:
        provider = await _discover(coordinator, client)
        try:
            answer = await client.fetch_token(
                provider["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=sign_on.verifier
            )
            keys = KeySet.import_key_set(KeySetSerialization(keys=(await _get(client, provider["jwks_uri"]))["keys"]))
            claims = jwt.decode(str(answer.get("id_token")), keys, algorithms=_ALGORITHMS).claims
            _check_claims(coordinator, claims, sign_on.nonce)
        except (OAuthError, JoseError, KeyError, ValueError):
            raise Problem(403, "sign-on-refused", "the sign-on is not good for us; log in once more") from None
        except HTTPError:
            raise _silent() from None
    return _identity(coordinator, claims)


def _client(coordinator: Coordinator, redirect_uri: str) -> Any:
    settings = coordinator.settings
    if settings.oidc_issuer is None or settings.oidc_client_secret is None:
        raise missing("way to log in")
    return AsyncOAuth2Client(
        settings.oidc_client_id,
        settings.oidc_client_secret.get_secret_value(),
        redirect_uri=redirect_uri,
        scope="openid email profile",
        code_challenge_method="S256",
        timeout=_SECONDS,
    )


async def _discover(coordinator: Coordinator, client: Any) -> dict[str, Any]:
    """Return what the provider says of itself (OpenID Connect Discovery 1.0 section 4)."""
    issuer = str(coordinator.settings.oidc_issuer)
    try:
        provider = await _get(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    except (HTTPError, ValueError):
        raise _silent() from None
    if provider.get("issuer") != issuer:
        raise Problem(
            502, "provider", "the provider of single sign-on calls itself by another name than CAPE_OIDC_ISSUER"
        )
    return provider


async def _get(client: Any, url: str) -> dict[str, Any]:
    answer = await client.request("GET", url, withhold_token=True)
    answer.raise_for_status()
    data: dict[str, Any] = answer.json()
    return data


def _check_claims(coordinator: Coordinator, claims: dict[str, Any], nonce: str) -> None:
    """Check what OpenID Connect Core 1.0 section 3.1.3.7 asks for, besides the signature."""
    settings = coordinator.settings
    required = jwt.JWTClaimsRegistry(
        now=int(coordinator.clock().timestamp()),
        leeway=_SKEW_SECONDS,
        iss={"essential": True, "value": str(settings.oidc_issuer)},
        aud={"essential": True, "value": str(settings.oidc_client_id)},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    required.validate(claims)
    if claims.get("azp", settings.oidc_client_id) != settings.oidc_client_id:
        raise ValueError("the token was made for another client")


def _identity(coordinator: Coordinator, claims: dict[str, Any]) -> Identity:
    settings = coordinator.settings
    try:
        email: str = TypeAdapter(Email).validate_python(claims.get("email"))
        name: str = TypeAdapter(Line).validate_python(claims.get("name") or email)
        groups: list[str] = TypeAdapter(list[str]).validate_python(claims.get(settings.oidc_groups_claim) or [])
    except ValidationError:
        raise Problem(403, "sign-on-refused", "the provider's email, name or groups of yours make no sense") from None
    if claims.get("email_verified") is not True:
        raise Problem(403, "unverified-email", "the provider has not verified your email; have it do so, then log in")
    mapping = RoleMapping(settings.oidc_admins, settings.oidc_auditors)
    subject = str(claims["sub"])
    return Identity(
        str(settings.oidc_issuer), subject, email, name, frozenset(groups), mapping, settings.oidc_new_users
    )


def _over() -> Problem:
    return Problem(403, "sign-on-over", "this sign-on took too long, or began in another browser; log in once more")


def _silent() -> Problem:
    return Problem(502, "provider", "the provider of single sign-on does not answer as it should; try again later")
