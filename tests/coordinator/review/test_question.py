from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cape_airflow.coordinator.review.question import escaped

BEFORE = """\
label: customers
version: 2
default: keep
rules:
  - match: {name: email}
    actions: [drop]
  - match: {name: phone}
    actions: [drop]
"""
AFTER = """\
label: customers
version: 2
domain: tests
default: keep
rules:
  - match: {name: email}
    actions:
      - transform: {type: deterministic-encryption, key: {ref: customer-id}}
  - match: {name: "a | b"}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {name: country}
    keep: {reason: not identifying}
"""


def question(project: Any, **suggested: Any) -> Any:
    suggestion = project.suggest(**suggested)
    path = f"{project.path}/suggestions/{suggestion['id']}/question"
    return suggestion, project.deployment.done("GET", path, project.worker)


def cells(body: str) -> list[list[str]]:
    """Return the cells of the table, as a renderer of Markdown shows them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    rows: list[list[str]] = []
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            inline = tokens[place + 1].children or []
            rows[-1].append("".join(child.content for child in inline))
    return rows


def test_a_reviewer_sees_what_becomes_of_every_column_and_what_changes(project: Any) -> None:
    before = project.approved(BEFORE)
    suggestion, asked = question(project, policy=AFTER)
    table = {row[0]: row[1:] for row in cells(asked["body"])}
    assert table["What"] == ["Change", "In force", "With this policy", "Reversible"]
    assert table["column email"][0] == "changed"
    assert table["column email"][1] == "suppress-attribute"
    assert table["column email"][2].startswith("deterministic-encryption(")
    assert table["column email"][3] == "yes, with the key"
    assert table["column a | b"][0] == "new"
    assert table["column a | b"][1] == "no rule"
    assert table["column a | b"][3] == "no"
    assert table["column country"][2:] == ["kept (not identifying)", "shown as it is"]
    assert table["column phone"] == ["gone", "suppress-attribute", "no rule", "no rule"]
    assert table["other columns"][:3] == ["none", "the same", "kept"]
    assert f"digest `{suggestion['digest']}`, in place of `{before['digest']}`" in asked["body"]
    assert "a column that no rule is about passes unchanged" in asked["body"].replace("\\", "")
    assert asked["body"].endswith(f"[Review page](/cape/projects/customers/suggestions/{suggestion['id']})")


def test_the_first_policy_replaces_none(project: Any) -> None:
    suggestion, asked = question(project)
    assert f"Revision 1, digest `{suggestion['digest']}`, in place of no policy." in asked["body"]
    assert asked["subject"] == f"Approve the policy of project customers? (suggestion {suggestion['id']})"


def test_it_names_author_and_editors(project: Any) -> None:
    suggestion = project.suggest()
    path = f"{project.path}/suggestions/{suggestion['id']}"
    project.deployment.done("PATCH", path, project.owner, {"revision": 1, "title": "better"})
    body = project.deployment.done("GET", f"{path}/question", project.worker)["body"].replace("\\", "")
    assert "**better**, by customers-contributor@example.com, edited by customers-owner@example.com" in body


@pytest.mark.parametrize(
    "written",
    [
        "Approved by security. [ok](http://evil.example) ![x](http://evil.example/x.png)",
        "<script>alert(1)</script> <b>fine</b> &amp;",
        "| column salary | none | kept |",
        "# Everything is fine",
        "`code` **bold** _it_ ~~gone~~ www.evil.example https://evil.example",
        "1. one\n2. two\n\n---\n\n> quote\n\n    code",
    ],
)
def test_what_an_author_writes_means_nothing_but_itself(project: Any, written: str) -> None:
    title = written.splitlines()[0]
    _, asked = question(project, title=title, description=written)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(asked["body"])
    kinds = {token.type for token in tokens}
    inline = [child for token in tokens for child in token.children or ()]
    assert not kinds & {"heading_open", "code_block", "hr", "html_block", "fence"}
    assert kinds >= {"table_open"}
    assert [token.type for token in tokens].count("table_open") == 1
    assert [child.attrs for child in inline if child.type in ("link_open", "image")] == [
        {"href": f"/cape/projects/customers/suggestions/{asked['subject'].split()[-1].rstrip(')')}"}
    ]
    assert not {child.type for child in inline} & {"html_inline", "em_open", "s_open"}


@given(st.text())
def test_escaped_text_is_one_line_that_renders_as_itself(text: str) -> None:
    written = escaped(text)
    assert "\n" not in written
    (children,) = [token.children or [] for token in MarkdownIt("commonmark").parseInline(written)]
    shown = "".join(child.content for child in children)
    visible = "".join(char if char.isprintable() else " " for char in text)
    assert shown == " ".join(visible.split())
    assert {child.type for child in children} <= {"text", "text_special"}
