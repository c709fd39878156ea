from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.rows import bytes_of, from_bytes
from cape_airflow.kernels.script import Script

ASCII = ("0123456789", "- .")
MIXED = ("aé日𝄞z", "-ß")
ALL = st.text(st.sampled_from("01239- .aé日𝄞zß!öA"), max_size=12)


@pytest.mark.parametrize(("alphabet", "keep"), [ASCII, MIXED])
@given(values=st.lists(ALL))
def test_numerals_are_places_in_the_alphabet_and_the_rest_is_put_aside(
    alphabet: str, keep: str, values: list[str]
) -> None:
    reading = Script(alphabet, keep).read(*bytes_of(pa.array(values, pa.string())))
    for place, value in enumerate(values):
        start, end = reading.offsets[place : place + 2]
        assert reading.numerals[start:end].tolist() == [alphabet.index(one) for one in value if one in alphabet]
        assert reading.has_foreign[place] == bool(set(value) - set(alphabet + keep))


@pytest.mark.parametrize(("alphabet", "keep"), [ASCII, MIXED])
@given(values=st.lists(ALL))
def test_other_numerals_are_written_in_their_places(alphabet: str, keep: str, values: list[str]) -> None:
    script = Script(alphabet, keep)
    reading = script.read(*bytes_of(pa.array(values, pa.string())))
    following = ((reading.numerals.astype(np.uint32) + 1) % script.radix).astype(reading.numerals.dtype)
    data, offsets = script.write(reading, following)
    table = str.maketrans(alphabet, alphabet[1:] + alphabet[0])
    written = from_bytes(data, offsets, np.ones(len(values), bool), pa.string()).to_pylist()
    assert written == [value.translate(table) for value in values]


def test_an_alphabet_may_have_65_536_characters() -> None:
    alphabet = "".join(map(chr, range(0x10000, 0x20000)))
    script = Script(alphabet, "x")
    reading = script.read(*bytes_of(pa.array([alphabet[0] + "x" + alphabet[-1]])))
    assert reading.numerals.tolist() == [0, 65_535]


@pytest.mark.parametrize(
    ("alphabet", "keep"),
    [("", ""), ("0", ""), ("010", ""), ("01", "1"), ("".join(map(chr, range(0x10000, 0x20001))), "")],
)
def test_other_sizes_repetitions_and_overlap_are_no_alphabet(alphabet: str, keep: str) -> None:
    with pytest.raises(ValueError, match="2 to 65,536 distinct characters"):
        Script(alphabet, keep)
