from __future__ import annotations

import base64
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cape_airflow.keys.encoding import from_base64url, to_base64url


@given(st.binary())
def test_bytes_come_back_with_and_without_padding(data):
    assert from_base64url(to_base64url(data)) == data
    assert from_base64url(base64.urlsafe_b64encode(data).decode()) == data


@given(st.text())
def test_any_other_text_is_refused_without_showing_it(text):
    assume(not re.fullmatch("[A-Za-z0-9_=-]*", text))
    with pytest.raises(ValueError, match=r"\Anot base64url\Z"):
        from_base64url(text)


@pytest.mark.parametrize("text", ["A", "+/+/", "AA AA", "A===", "=", "AAA\n", "ä"])
def test_what_is_not_base64url_is_refused(text):
    with pytest.raises(ValueError, match="not base64url"):
        from_base64url(text)
