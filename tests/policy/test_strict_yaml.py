from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import PolicyError
from cape_airflow.policy.strict_yaml import MAX_NODES, check_names, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:34:56", "12:34:56"),
        ("017", "017"),
        ("0x1F", "0x1F"),
        ("2020-01-01", "2020-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'5'", "5"),
        ("'true'", "true"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("5", 5),
        ("-0", 0),
        ("+7", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("9007199254740991", 2**53 - 1),
    ],
)
def test_plain_scalars_are_what_a_reader_sees(text: str, value: object) -> None:
    read = read_yaml(f"a: {text}").plain()["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: &x 1", 1, 4, "anchors"),
        ("a: *x", 1, 4, "anchors"),
        ("a: !!str 1", 1, 4, "tags"),
        ("a: !!python/object/apply:os.system ['true']", 1, 4, "tags"),
        ("a: 1\na: 2", 2, 1, "twice"),
        ("<<: {a: 1}", 1, 1, "merges"),
        ("1: 2", 1, 1, "put it in quotes"),
        ("? [1]\n: 2", 1, 3, "put it in quotes"),
        ("a: 1\n---\nb: 2", 2, 1, "one document"),
        ("", 1, 1, "empty"),
        ("- [", 2, 1, "not YAML"),
        ("a: b: c", 1, 5, "not YAML"),
        ("a: \u202ex", 1, 4, "U+202E"),
        ("a: x\u200b", 1, 5, "U+200B"),
        ("a: 9007199254740992", 1, 4, "2^53"),
        ("a: " + "9" * 5000, 1, 4, "2^53"),
        ("a: 1e999", 1, 4, "finite"),
        ("[" * 30_000 + "]" * 30_000, 1, 21, "20 levels"),
        ("[" + "1," * MAX_NODES + "]", 1, 2 * MAX_NODES, "20000 values"),
    ],
)
def test_what_policies_do_not_need_is_refused_where_it_stands(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_yaml(text, "policy.yaml")
    location = caught.value.location
    assert location is not None
    assert (location.line, location.column, location.file) == (line, column, "policy.yaml")
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["a: \ud800", "a" * (256 * 1024 + 1)])
def test_text_that_is_no_unicode_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        read_yaml(text)


def test_an_alias_bomb_is_refused_at_once() -> None:
    bomb = "a: &a [x]\n" + "\n".join(f"b{i}: [*a, *a]" for i in range(30))
    start = time.monotonic()
    with pytest.raises(PolicyError, match="anchors"):
        read_yaml(bomb)
    assert time.monotonic() - start < 1


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    assert read_yaml("\ufeffa: 1\r\nb:\r\n  - x\r\n").plain() == read_yaml("a: 1\nb:\n  - x\n").plain()


def test_json_is_read_too() -> None:
    assert read_yaml('{"a": [1, true, null, "no", "\\u00e9"]}').plain() == {"a": [1, True, None, "no", "é"]}


def test_a_node_knows_its_path() -> None:
    node = read_yaml("rules:\n  - actions:\n      - drop")
    inner = node.entries("")["rules"].items("")[0].entries("")["actions"].items("")[0]
    assert inner.location.rule == "rules[0].actions[0]"
    assert (inner.location.line, inner.location.column) == (3, 9)


def test_an_unknown_name_is_reported_where_the_name_stands() -> None:
    entries = read_yaml("match: 1\n  \nmacth: 2").entries("")
    with pytest.raises(PolicyError, match="did you mean `match`") as caught:
        check_names(entries, ["match"], "a rule")
    assert caught.value.location is not None
    assert caught.value.location.line == 3


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%#,? \n\t0123.~<\\"), max_size=60))
def test_any_text_gives_a_value_or_a_policy_error(text: str) -> None:
    with contextlib.suppress(PolicyError):
        read_yaml(text)
