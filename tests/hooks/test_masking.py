from __future__ import annotations

import asyncio
from base64 import b64encode, urlsafe_b64encode

import pytest
from airflow.sdk.log import redact

from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.masking import MaskedKeyRing
from cape_airflow.keys import EnvironmentKeys
from cape_airflow.keys.encoding import to_base64url
from tests.airflow.coordinator import People


def _spelt(material: bytes) -> list[str]:
    return [
        b64encode(material).decode(),
        urlsafe_b64encode(material).decode(),
        to_base64url(material),
        material.hex(),
        repr(material),
    ]


def _shown(spelling: str) -> bool:
    return spelling.rstrip("=") in str(redact(f"a library wrote {spelling} here"))


def test_a_key_is_masked_in_every_spelling_from_when_it_is_handed_over() -> None:
    material = bytes(range(200, 232))
    keys = MaskedKeyRing(EnvironmentKeys({"CAPE_KEY_CUSTOMER_ID": to_base64url(material)}))
    assert all(_shown(each) for each in _spelt(material))
    assert keys.get("customer-id").version(1).reveal() == material
    assert not any(_shown(each) for each in _spelt(material))


@pytest.mark.usefixtures("connected")
def test_the_keys_of_a_project_are_masked(people: People, project: str) -> None:
    people.approve(project)
    material = CapeHook().get_keys(project).get("customer-id").version(1).reveal()
    assert not any(_shown(each) for each in _spelt(material))


@pytest.mark.usefixtures("connected")
def test_the_secret_part_of_a_token_is_masked_without_its_id_too(people: People) -> None:
    CapeHook().client.me()
    assert not _shown(people.worker_token.rpartition(",")[2])


def test_the_token_of_an_event_loop_is_masked_too(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    token = "01HANOTHER,AQsecretOfTheEventLoop"
    uri = f"cape://:{token.replace(',', '%2C')}@127.0.0.1:1?scheme=http"
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_LOOP", uri)

    async def open_and_close() -> None:
        async with await CapeHook("cape_loop").async_client():
            pass

    asyncio.run(open_and_close())
    assert not _shown("AQsecretOfTheEventLoop")
