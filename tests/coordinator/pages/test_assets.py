from __future__ import annotations

import re
from typing import Any

import pytest

from cape_airflow.coordinator.pages.assets import ASSETS


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_files_are_kept_by_browsers_for_ever_under_the_digest_of_their_content(
    name: str, shared_deployment: Any
) -> None:
    asset = ASSETS[name]
    answer = shared_deployment.ask("GET", f"/static/{asset.digest}/{name}")
    assert answer.content == asset.content
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == asset.media_type


@pytest.mark.parametrize("path", ["0000000000000000/cape.css", f"{ASSETS['cape.css'].digest}/nothing.css"])
def test_an_address_never_gives_another_content_than_it_promises(path: str, shared_deployment: Any) -> None:
    assert shared_deployment.ask("GET", f"/static/{path}").status_code == 404


def test_no_page_has_to_ask_anybody_else() -> None:
    for name in ("cape.css", "theme.js"):
        assert not re.search(rb"https?://|@import|url\(", ASSETS[name].content), name
