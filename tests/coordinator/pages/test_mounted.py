"""The pages below a path of another app, as in Airflow's API server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.coordinator.pages.story import tell

PATHS = ("/", "/jobs", "/schedulers", "/tokens", "/people", "/audit", "/settings", "/projects/customers/keys")


@pytest.fixture(scope="module")
def client(shared_project: Any) -> TestClient:
    tell(shared_project)
    outer = FastAPI()
    outer.mount("/cape", shared_project.deployment.app)
    return TestClient(outer, headers={"Authorization": f"Bearer {shared_project.deployment.admin}"})


@pytest.mark.parametrize("path", PATHS)
def test_every_address_in_a_page_stays_below_the_path(path: str, client: TestClient) -> None:
    answer = client.get(f"/cape{path}")
    assert answer.status_code == 200
    inner = re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', answer.text)
    assert inner
    assert [address for address in inner if not address.startswith("/cape/")] == []
    styles = re.findall(r'href="(/cape/static/[^"]+\.css)"', answer.text)
    assert all(client.get(style).status_code == 200 for style in styles)


def test_the_navigation_says_where_one_is(client: TestClient) -> None:
    assert '<a href="/cape/jobs" aria-current="page">' in client.get("/cape/jobs").text


def test_a_page_may_stand_in_a_frame_of_the_same_origin_and_no_other(client: TestClient) -> None:
    headers = client.get("/cape/").headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "unsafe" not in headers["content-security-policy"]
