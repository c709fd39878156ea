from __future__ import annotations

from typing import Any

import pytest

POLICY = "label: customers\nversion: 2\ndefault: keep\nrules:\n  - match: {name: email}\n    actions: [drop]\n"


def all_pages(deployment: Any, path: str, limit: int) -> list[list[Any]]:
    pages, after = [], ""
    while after is not None:
        cursor = f"&after={after}" if after else ""
        page = deployment.done("GET", f"{path}?limit={limit}{cursor}", deployment.admin)
        pages.append(page["items"])
        after = page["next"]
    return pages


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (200, [5])])
def test_pages_hold_every_row_once_in_order(shared_deployment: Any, limit: int, sizes: list[int]) -> None:
    pages = all_pages(shared_deployment, "/v1/users", limit)
    assert [len(page) for page in pages] == sizes
    emails = [user["email"] for page in pages for user in page]
    assert emails == [
        "admin@example.com",
        *(f"customers-{name}@example.com" for name in ("owner", "contributor", "reader", "worker")),
    ]


def test_a_page_ends_before_it_is_too_large_for_a_client(project: Any) -> None:
    suggestions = [project.suggest(POLICY + f"# {number} " + "x" * 250_000) for number in range(10)]
    pages = all_pages(project.deployment, f"{project.path}/suggestions", 200)
    assert [suggestion["id"] for page in pages for suggestion in page] == [one["id"] for one in suggestions[::-1]]
    assert [len(page) for page in pages] == [8, 2]


def test_an_empty_list_is_an_empty_page(project: Any) -> None:
    assert project.deployment.done("GET", f"{project.path}/jobs", project.reader) == {"items": [], "next": None}
