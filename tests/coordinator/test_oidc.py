"""Single sign-on with a real OpenID provider over HTTP: it checks PKCE, the client's secret and the redirect."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "cape", "a secret of this client & more"
ANN = {"sub": "u-1", "email": "Customers-Reader@example.com", "email_verified": True, "name": "Ann", "groups": []}


@dataclass
class Provider:
    """An OpenID provider that knows one person, and can be told to lie."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: dict(ANN))
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    signing_key: RSAKey | None = None
    algorithm: str = "RS256"
    without: str = ""
    now: Callable[[], float] = lambda: 0.0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    async def discovery(self, _request: Request) -> Response:
        ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return JSONResponse({"issuer": self.url} | {name: self.url + path for name, path in ends.items()})

    async def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(self, request: Request) -> Response:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        client = [unquote(part) for part in base64.b64decode(credentials).decode().split(":")]
        form = dict(parse_qsl((await request.body()).decode()))
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if scheme != "Basic" or client != [CLIENT, SECRET]:
            return JSONResponse({"error": "invalid_client"}, 401)
        if (
            asked is None
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self.now())
        usual = {"iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], "iat": now, "exp": now + 300}
        claims = {name: value for name, value in (usual | self.claims).items() if name != self.without}
        key = self.signing_key or self.key
        id_token = jwt.encode({"alg": self.algorithm, "kid": "k1"}, claims, key, algorithms=[self.algorithm])
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": id_token})


@pytest.fixture
def provider(serve: Callable[[Any], str]) -> Provider:
    made = Provider()
    made.url = serve(made.app)
    return made


@dataclass
class SignOn:
    """A browser that logs in with single sign-on at a deployment."""

    deployment: Any
    provider: Provider

    def begin(self, path: str = "/login/oidc") -> httpx.Response:
        self.deployment.http.cookies.clear()
        return self.deployment.ask("GET", path, follow_redirects=False)

    def at_provider(self, begun: httpx.Response) -> str:
        """Follow the redirect to the provider, and return the path that it sends back to."""
        back = urlsplit(httpx.get(begun.headers["location"]).headers["location"])
        return f"{back.path}?{back.query}"

    def come_back(self, path: str) -> httpx.Response:
        return self.deployment.ask("GET", path, follow_redirects=False)

    def run(self, path: str = "/login/oidc") -> httpx.Response:
        return self.come_back(self.at_provider(self.begin(path)))

    def me(self) -> Any:
        return self.deployment.done("GET", "/v1/me", None)


@pytest.fixture
def make(maker: Any, provider: Provider) -> Callable[..., SignOn]:
    def deploy(**more: Any) -> SignOn:
        known = {"oidc_issuer": provider.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        deployment = maker.deployment(**(known | more))
        provider.now = lambda: deployment.clock().timestamp()
        return SignOn(deployment, provider)

    return deploy


@pytest.fixture
def sign_on(make: Callable[..., SignOn]) -> SignOn:
    return make()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    code = re.search(r"· <code>([a-z-]+)</code>", answer.text)
    return answer.status_code, code[1] if code else answer.text


def test_whom_the_provider_vouches_for_is_in_and_where_he_wanted_to_be(sign_on: SignOn) -> None:
    page = sign_on.deployment.ask("GET", "/login?next=/projects").text
    link = re.search(r'href="(/login/oidc\?next=[^"]+)"', page)
    assert link
    answer = sign_on.run(link[1])
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects")
    assert sign_on.me()["email"] == "customers-reader@example.com"
    events = [row[0] for row in sign_on.deployment.rows("SELECT event FROM audit ORDER BY seq")]
    assert events[-2:] == ["bind-identity", "log-in"]


def test_the_second_time_he_is_found_by_what_the_provider_calls_him_not_by_his_email(sign_on: SignOn) -> None:
    sign_on.run()
    sign_on.provider.claims["email"] = "moved@example.com"
    assert sign_on.run().status_code == 303
    assert sign_on.me()["email"] == "customers-reader@example.com"


def test_who_got_an_email_that_was_somebody_elses_does_not_get_his_account(sign_on: SignOn) -> None:
    sign_on.run()
    sign_on.provider.claims["sub"] = "u-2"
    assert refusal(sign_on.run()) == (403, "other-identity")


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_email_that_nobody_verified_lets_nobody_in(sign_on: SignOn, verified: Any) -> None:
    sign_on.provider.claims["email_verified"] = verified
    assert refusal(sign_on.run()) == (403, "unverified-email")


def test_who_is_no_user_is_refused_unless_the_settings_let_new_people_in(make: Callable[..., SignOn]) -> None:
    strict, open_to_new = make(), make(oidc_new_users=True)
    strict.provider.claims["email"] = "new@example.com"
    assert refusal(strict.run()) == (403, "unknown-person")
    assert open_to_new.run().status_code == 303
    assert (open_to_new.me()["email"], open_to_new.me()["role"]) == ("new@example.com", "user")


def test_groups_become_roles_as_the_settings_say_and_stop_being_so(make: Callable[..., SignOn]) -> None:
    sign_on = make(oidc_admins={"cape-admins"}, oidc_auditors={"dpo"})
    roles = []
    for groups in (["cape-admins", "dpo"], ["dpo", "x"], ["x"], []):
        sign_on.provider.claims["groups"] = groups
        sign_on.run()
        roles.append(sign_on.me()["role"])
    assert roles == ["admin", "auditor", "user", "user"]


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"azp": "another-client"},
        {"exp": 1},
        {"iat": 99_999_999_999},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_log_in_lets_nobody_in(sign_on: SignOn, lie: dict[str, Any]) -> None:
    sign_on.provider.claims |= lie
    assert refusal(sign_on.run()) == (403, "sign-on-refused")
    assert "cape_session" not in sign_on.deployment.http.cookies


@pytest.mark.parametrize("claim", ["nonce", "iss", "aud", "exp", "iat", "sub"])
def test_a_token_that_leaves_something_out_lets_nobody_in(sign_on: SignOn, claim: str) -> None:
    sign_on.provider.without = claim
    assert refusal(sign_on.run()) == (403, "sign-on-refused")


def test_a_token_that_somebody_else_signed_lets_nobody_in(sign_on: SignOn) -> None:
    sign_on.provider.signing_key = RSAKey.generate_key(2048, {"kid": "k1"})
    assert refusal(sign_on.run()) == (403, "sign-on-refused")


def test_a_new_key_of_the_provider_is_taken_at_the_next_log_in(sign_on: SignOn) -> None:
    assert sign_on.run().status_code == 303
    sign_on.provider.key = RSAKey.generate_key(2048, {"kid": "k1"})
    assert sign_on.run().status_code == 303


def test_a_sign_on_of_another_browser_is_refused(sign_on: SignOn) -> None:
    """Else somebody could be made to work under the account of somebody else."""
    victim = sign_on.at_provider(sign_on.begin())
    sign_on.begin()
    assert refusal(sign_on.come_back(victim)) == (403, "sign-on-over")
    sign_on.deployment.http.cookies.clear()
    assert refusal(sign_on.come_back(victim)) == (403, "sign-on-over")


def test_a_code_of_another_log_in_is_refused_because_its_verifier_is_another(sign_on: SignOn) -> None:
    stolen = parse_qs(urlsplit(sign_on.at_provider(sign_on.begin())).query)["code"][0]
    begun = sign_on.begin()
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    path = f"/login/oidc/callback?{urlencode({'code': stolen, 'state': state})}"
    assert refusal(sign_on.come_back(path)) == (403, "sign-on-refused")


def test_a_code_is_good_once_and_a_sign_on_for_ten_minutes(sign_on: SignOn) -> None:
    back = sign_on.at_provider(sign_on.begin())
    cookie = sign_on.deployment.http.cookies["cape_sign_on"]
    assert sign_on.come_back(back).status_code == 303
    again = {"Cookie": f"cape_sign_on={cookie}"}
    assert refusal(sign_on.deployment.ask("GET", back, headers=again)) == (403, "sign-on-refused")
    late = sign_on.at_provider(sign_on.begin())
    sign_on.deployment.clock.turn(minutes=10, seconds=1)
    assert refusal(sign_on.come_back(late)) == (403, "sign-on-over")


def test_who_is_deactivated_or_a_service_account_does_not_get_in(sign_on: SignOn) -> None:
    deployment = sign_on.deployment
    deployment.done("POST", "/v1/users/customers-reader@example.com/deactivate", deployment.admin)
    assert refusal(sign_on.run()) == (403, "deactivated")
    body = {"email": "robot@example.com", "name": "Robot", "kind": "service"}
    deployment.done("POST", "/v1/users", deployment.admin, body)
    sign_on.provider.claims["email"] = "robot@example.com"
    assert refusal(sign_on.run()) == (403, "deactivated")


def test_a_provider_that_does_not_answer_or_has_another_name_is_said_so(make: Callable[..., SignOn]) -> None:
    gone = make(oidc_issuer="http://127.0.0.1:9")
    assert refusal(gone.begin()) == (502, "provider")
    sign_on = make()
    sign_on.provider.url += "/elsewhere"
    assert refusal(sign_on.begin()) == (502, "provider")


def test_where_there_is_no_provider_there_is_no_such_page(shared_deployment: Any) -> None:
    assert shared_deployment.ask("GET", "/login/oidc").status_code == 404
    assert "single sign-on" not in shared_deployment.ask("GET", "/login").text


def test_what_the_cookie_holds_nobody_can_read_or_change(sign_on: SignOn) -> None:
    begun = sign_on.begin()
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    cookie = sign_on.deployment.http.cookies["cape_sign_on"]
    assert state not in base64.urlsafe_b64decode(cookie + "==").decode("latin-1")
    assert {"httponly", "samesite=lax"} <= set(begun.headers["set-cookie"].lower().split("; "))
    back = sign_on.at_provider(begun)
    changed = {"Cookie": f"cape_sign_on={cookie[:-6]}AAAAAA"}
    sign_on.deployment.http.cookies.clear()
    assert refusal(sign_on.deployment.ask("GET", back, headers=changed)) == (403, "sign-on-over")
