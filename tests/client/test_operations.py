"""Operations that are more than one request, and results that hold secrets."""

from __future__ import annotations

import pytest

from cape_airflow.client import CoordinatorKeys
from cape_airflow.client.blocking import CoordinatorClient
from cape_airflow.client.operations import Operations
from cape_airflow.errors import CoordinatorProtocolError, CoordinatorUnavailable, KeyUnavailable
from cape_airflow.keys import KeyRing
from cape_airflow.keys.encoding import to_base64url

CANARY = b"canary-canary-canary"
MATERIAL = {"name": "id", "primary": 2, "versions": {"1": to_base64url(b"1" * 32), "2": to_base64url(CANARY)}}


@pytest.fixture
def client(faulty):
    clients = []

    def connect(*script):
        server = faulty(*script)
        clients.append(CoordinatorClient(server.url, "id,secret", deadline=1.0))
        return clients[-1], server

    yield connect
    for opened in clients:
        opened.close()


def _project(label):
    return {"label": label, "name": label, "description": "", "status": "active", "policy_digest": None}


def test_every_operation_has_its_method_on_the_blocking_client():
    names = {name for name in vars(Operations) if not name.startswith("_")}
    assert names <= set(vars(CoordinatorClient))
    assert all(getattr(CoordinatorClient, name).__doc__ for name in names)


def test_a_list_is_turned_to_its_last_page(client, answer):
    pages = [{"items": [_project("a"), _project("b")], "next": "c1"}, {"items": [_project("c")], "next": None}]
    connected, server = client(*(answer(200, page) for page in pages))
    assert [project.label for project in connected.projects()] == ["a", "b", "c"]
    assert [asked.path for asked in server.asked] == ["/v1/projects?limit=200", "/v1/projects?limit=200&after=c1"]


def test_a_list_ends_at_its_limit(client, answer):
    connected, server = client(answer(200, {"items": [_project("a"), _project("b")], "next": "c1"}))
    assert len(connected.projects(limit=1)) == 1
    assert [asked.path for asked in server.asked] == ["/v1/projects?limit=1"]


def test_a_list_that_does_not_get_on_is_a_protocol_error(client, answer):
    connected, _ = client(answer(200, {"items": [], "next": "c1"}))
    with pytest.raises(CoordinatorProtocolError, match="does not get on"):
        connected.projects()


def test_a_list_without_end_ends_at_the_deadline(client, answer):
    pages = [answer(200, {"items": [], "next": str(number)}) for number in range(20_000)]
    connected, _ = client(*pages)
    with pytest.raises(CoordinatorUnavailable):
        connected.projects()


def test_what_is_not_known_is_left_out_of_the_answer(client, answer):
    connected, _ = client(answer(200, _project("a") | {"new": 1}))
    assert connected.project("a").label == "a"


def test_key_material_comes_as_a_key_that_shows_nothing(client, answer):
    connected, _ = client(answer(200, MATERIAL))
    key = connected.key_material("crm", "id")
    assert (key.primary, key.version(2).reveal(), sorted(key.versions)) == (2, CANARY, [1, 2])
    assert CANARY.decode() not in repr(key)


@pytest.mark.parametrize("versions", [{"2": "canary!"}, {"2": to_base64url(CANARY[:8])}, {"x": to_base64url(CANARY)}])
def test_key_material_that_makes_no_sense_is_not_shown(client, answer, versions):
    connected, _ = client(answer(200, MATERIAL | {"versions": versions}))
    with pytest.raises(CoordinatorProtocolError) as caught:
        connected.key_material("crm", "id")
    assert "canary" not in str(caught.value)
    assert to_base64url(CANARY[:8]) not in str(caught.value)


def test_a_primary_version_without_material_is_unavailable(client, answer):
    connected, _ = client(answer(200, MATERIAL | {"primary": 3}))
    with pytest.raises(KeyUnavailable, match="no version 3"):
        connected.key_material("crm", "id")


def test_a_new_token_shows_itself_only_when_it_is_told_to(client, answer):
    moment = "2027-01-01T00:00:00Z"
    known = {"description": "worker", "user_email": "w@example.org", "created_at": moment, "expires_at": moment}
    body = {"id": "t1", "token": "t1,canary", **known, "revoked_at": None, "last_used_at": None}
    connected, server = client(answer(201, body))
    made = connected.create_token("worker", user_email="w@example.org", expires_in_days=7)
    assert made.token.reveal() == b"t1,canary"
    assert "canary" not in repr(made)
    assert server.asked[0].body == b'{"description": "worker", "user_email": "w@example.org", "expires_in_days": 7}'


def test_a_key_that_the_project_does_not_have_is_left_to_the_next_provider(client, answer):
    key = {"name": "customer-id", "primary": 1, "versions": [{"version": 1, "created_at": "2026-11-21T10:00:00Z"}]}
    missing = answer(404, {"code": "not-found", "message": "no such key"})
    connected, _ = client(missing, answer(200, {"items": [key], "next": None}))
    with pytest.raises(KeyUnavailable, match="did you mean `customer-id`"):
        KeyRing(CoordinatorKeys(connected, "crm")).get("custmer-id")


def test_a_key_that_is_refused_is_unavailable_and_says_why(client, answer):
    connected, _ = client(answer(403, {"code": "forbidden", "message": "only workers may"}))
    with pytest.raises(KeyUnavailable, match="only workers may"):
        CoordinatorKeys(connected, "crm").get("id")


def test_a_key_that_cannot_be_fetched_now_may_be_tried_again(client, answer):
    connected, _ = client(answer(503))
    with pytest.raises(CoordinatorUnavailable):
        CoordinatorKeys(connected, "crm").get("id")
