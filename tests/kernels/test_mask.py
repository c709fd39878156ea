from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels import mask


@given(
    values=st.lists(st.one_of(st.none(), st.text(st.characters(codec="ascii"), max_size=12))),
    first=st.integers(0, 4),
    last=st.integers(0, 4),
)
def test_ascii_is_masked_as_all_other_text(values: list[str | None], first: int, last: int) -> None:
    for kind in (pa.string(), pa.large_string()):
        ascii_only = pa.array(values, kind)
        mixed = pa.array([*values, "é"], kind)
        expected = mask.mask_all_but_ends(mixed, first, last, "#")[: len(values)]
        assert mask.mask_all_but_ends(ascii_only, first, last, "#").equals(expected)


def test_text_that_is_not_utf_8_is_refused() -> None:
    broken = pa.array([b"ok", b"\xff"]).view(pa.string())
    for function in (
        lambda: mask.mask_all_but_ends(broken, 1, 1, "*"),
        lambda: mask.mask_matches(broken, "o", "*"),
    ):
        with pytest.raises(ValueRefused, match="1 value refused: not valid UTF-8"):
            function()


@pytest.mark.parametrize("pattern", ["", "a*", "^", "$", r"\b", r"\B", "(?:)|b", "x?"])
def test_a_pattern_that_matches_where_there_is_no_character_is_none(pattern: str) -> None:
    with pytest.raises(ValueError, match="matches where there is no character"):
        mask.check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(", "[", "(?=a)", r"(a)\1"])
def test_what_re2_does_not_know_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression of RE2"):
        mask.check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["[0-9]", "^[^@]+", "a+$", r"\bb", "日"])
def test_what_hides_a_character_is_a_pattern(pattern: str) -> None:
    mask.check_pattern(pattern)
