"""The client for ordinary code: conversations carried out over `requests`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from http.cookiejar import DefaultCookiePolicy
from threading import Thread
from typing import Concatenate, ParamSpec, Self

import requests
import urllib3
from requests.utils import get_environ_proxies

from cape_airflow.client.operations import Operations
from cape_airflow.client.protocol import Answer, Conversation, NoAnswer, Send, T, Wait
from cape_airflow.client.shell import BROKEN, CHUNK, OVERDUE, Shell

P = ParamSpec("P")
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_REASONS = (
    (requests.exceptions.SSLError, "the TLS handshake failed; is its authority in the CA file given here?"),
    (requests.exceptions.ProxyError, "the proxy gave no connection"),
    (requests.exceptions.Timeout, OVERDUE),
    (urllib3.exceptions.TimeoutError, OVERDUE),
    (TimeoutError, OVERDUE),
)


def _blocking(
    operation: Callable[Concatenate[Operations, P], Conversation[T]],
) -> Callable[Concatenate[CoordinatorClient, P], T]:
    @wraps(operation)
    def method(self: CoordinatorClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._carry_out(operation(self._operations, *args, **kwargs))

    return method


class CoordinatorClient(Shell):
    """Talks to a coordinator, and blocks meanwhile. Close it, or use it as a context manager.

    Every call is carried out by a thread of its own, so that the caller is back by the deadline whatever the network
    does: the timeouts of sockets are per read, and looking up a name has none at all.
    See `Shell` for its arguments.
    """

    def _open(self, verify: bool | str) -> None:
        self._http = requests.Session()
        self._http.trust_env = False  # it would replace `verify` by REQUESTS_CA_BUNDLE, and the token by a .netrc
        self._http.verify = verify
        if not self._address.loopback:
            self._http.proxies.update(get_environ_proxies(self.base_url))
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    call = _blocking(Operations.call)
    version = _blocking(Operations.version)
    signing_keys = _blocking(Operations.signing_keys)
    me = _blocking(Operations.me)

    policy = _blocking(Operations.policy)
    policies = _blocking(Operations.policies)

    suggest = _blocking(Operations.suggest)
    suggest_again = _blocking(Operations.suggest_again)
    suggestions = _blocking(Operations.suggestions)
    suggestion = _blocking(Operations.suggestion)
    revisions = _blocking(Operations.revisions)
    edit_suggestion = _blocking(Operations.edit_suggestion)
    rebase = _blocking(Operations.rebase)
    withdraw = _blocking(Operations.withdraw)
    comment = _blocking(Operations.comment)
    attach_dry_run = _blocking(Operations.attach_dry_run)

    review = _blocking(Operations.review)
    compare = _blocking(Operations.compare)
    approve = _blocking(Operations.approve)
    request_changes = _blocking(Operations.request_changes)
    reject = _blocking(Operations.reject)
    break_glass = _blocking(Operations.break_glass)
    after_review = _blocking(Operations.after_review)
    review_rule = _blocking(Operations.review_rule)
    set_review_rule = _blocking(Operations.set_review_rule)

    projects = _blocking(Operations.projects)
    create_project = _blocking(Operations.create_project)
    project = _blocking(Operations.project)
    update_project = _blocking(Operations.update_project)
    contributors = _blocking(Operations.contributors)
    set_contributor = _blocking(Operations.set_contributor)
    remove_contributor = _blocking(Operations.remove_contributor)
    create_user = _blocking(Operations.create_user)
    users = _blocking(Operations.users)
    set_role = _blocking(Operations.set_role)
    deactivate_user = _blocking(Operations.deactivate_user)
    activate_user = _blocking(Operations.activate_user)
    create_worker = _blocking(Operations.create_worker)
    create_worker_token = _blocking(Operations.create_worker_token)

    create_token = _blocking(Operations.create_token)
    tokens = _blocking(Operations.tokens)
    revoke_token = _blocking(Operations.revoke_token)

    create_key = _blocking(Operations.create_key)
    keys = _blocking(Operations.keys)
    rotate_key = _blocking(Operations.rotate_key)
    set_key_rotation = _blocking(Operations.set_key_rotation)
    retire_key = _blocking(Operations.retire_key)
    destroy_key = _blocking(Operations.destroy_key)
    set_reveal = _blocking(Operations.set_reveal)
    key_material = _blocking(Operations.key_material)
    reveal_key = _blocking(Operations.reveal_key)

    start_job = _blocking(Operations.start_job)
    heartbeat = _blocking(Operations.heartbeat)
    finish_job = _blocking(Operations.finish_job)
    verify_job = _blocking(Operations.verify_job)
    jobs = _blocking(Operations.jobs)
    job = _blocking(Operations.job)
    audit = _blocking(Operations.audit)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Wait):
                    (self._sleep or time.sleep)(step.seconds)
                    step = conversation.send(None)
                else:
                    step = conversation.send(self._send(step))
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, send: Send) -> Answer | NoAnswer:
        outcome: Future[Answer | NoAnswer] = Future()
        Thread(target=self._settle, args=(send, outcome), name="cape-client", daemon=True).start()
        try:
            return outcome.result(send.seconds)
        except TimeoutError:
            return NoAnswer(OVERDUE)

    def _settle(self, send: Send, outcome: Future[Answer | NoAnswer]) -> None:
        try:
            outcome.set_result(self._exchange(send))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            outcome.set_exception(error)

    def _exchange(self, send: Send) -> Answer | NoAnswer:
        expiry = self._limits.clock() + send.seconds
        try:
            with self._http.request(
                send.method,
                self.base_url + send.path,
                params=send.query,
                data=send.content,
                headers=self._headers(send),
                timeout=send.seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._body(response, expiry)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, body)
        except _FAILURES as error:
            return NoAnswer(next((reason for kind, reason in _REASONS if isinstance(error, kind)), BROKEN))

    def _body(self, response: requests.Response, expiry: float) -> bytes:
        """Read what comes, up to one byte too many, and never long after the caller has stopped waiting."""
        body = bytearray()
        while len(body) <= self._limits.max_bytes and (chunk := response.raw.read1(CHUNK)):
            body += chunk
            if self._limits.clock() > expiry:
                raise TimeoutError(OVERDUE)
        return bytes(body)
