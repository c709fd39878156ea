from __future__ import annotations

import hmac
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels import noise

COUNT = 60_000
# Kolmogorov-Smirnov: sqrt(n) * D stays below this with probability 1 - 1e-6.
CRITICAL = math.sqrt(-math.log(1e-6 / 2) / 2)


def _distance(draws: noise.Floats, distribution: noise.Floats) -> float:
    """Largest gap between the empirical distribution of sorted draws and the true one at the same places."""
    steps = np.arange(len(draws) + 1) / len(draws)
    return float(max((distribution - steps[:-1]).max(), (steps[1:] - distribution).max()))


def _keyed(count: int) -> noise.Keyed:
    return noise.Keyed(np.arange(count, dtype=np.uint64).reshape(-1, 1), bytes(range(32)))


@pytest.mark.parametrize(
    "draws",
    [noise.Stream(noise.system_words, COUNT), noise.Stream(noise.seeded_words(1), COUNT), _keyed(COUNT)],
    ids=["system", "seeded", "keyed"],
)
def test_draws_have_their_distribution(draws: noise.Draws) -> None:
    uniform = np.sort(draws.uniform(-2.0, 3.0))
    gaussian = np.sort(draws.gaussian())
    laplace = np.sort(draws.laplace())
    normal = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in gaussian])
    tails = 0.5 * np.exp(-np.abs(laplace))
    for drawn, distribution in (
        (uniform, (uniform + 2) / 5),
        (gaussian, normal),
        (laplace, np.where(laplace < 0, tails, 1 - tails)),
    ):
        assert _distance(drawn, distribution) * math.sqrt(COUNT) < CRITICAL


def test_a_wrong_distribution_would_be_noticed() -> None:
    draws = np.sort(noise.Stream(noise.system_words, COUNT).uniform(0.0, 1.02))
    assert _distance(draws, draws.clip(0, 1)) * math.sqrt(COUNT) > CRITICAL


@given(low=st.integers(-(2**63), -1), span=st.integers(0, 2**63), seed=st.integers(0, 2**32))
def test_integers_stay_within_their_ends(low: int, span: int, seed: int) -> None:
    for draws in (noise.Stream(noise.seeded_words(seed), 20), _keyed(20)):
        assert all(low <= draw <= low + span for draw in draws.integers(low, low + span).tolist())


@pytest.mark.parametrize("draws", [noise.Stream(noise.seeded_words(1), COUNT), _keyed(COUNT)], ids=["seeded", "keyed"])
def test_integers_are_even_where_one_word_in_three_is_drawn_again(draws: noise.Draws) -> None:
    high = 2**63 // 3 * 4 - 1
    drawn = draws.integers(-(2**62), high - 2**62).view(np.uint64) + np.uint64(2**62)
    tenths = np.bincount((drawn >> np.uint64(60)).astype(int), minlength=11)[:10]
    expected = COUNT * 2**60 / (high + 1)
    assert ((tenths - expected) ** 2 / expected).sum() < 50  # fewer than 10 degrees of freedom, alpha 1e-6


def test_what_is_keyed_depends_on_key_and_value_alone() -> None:
    values = np.array([[7], [2**64 - 1], [7]], np.uint64)
    high = 2**63 // 3 * 4 - 1  # draws one word in three again
    for function in (
        lambda draws: draws.integers(-(2**62), high - 2**62),
        lambda draws: draws.uniform(0.0, 1.0),
        lambda draws: draws.gaussian(),
        lambda draws: draws.laplace(),
    ):
        first, second, third = function(noise.Keyed(values, bytes(32))).tolist()
        assert first == third != second
        assert function(noise.Keyed(values[1:2], bytes(32))).tolist() == [second]
        assert function(noise.Keyed(values[:1], bytes(16))).tolist() != [first]
        assert function(noise.Keyed(values[:0], bytes(32))).tolist() == []


@given(texts=st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=8), start=st.integers(0, 8))
def test_words_of_text_are_the_first_half_of_its_hmac(texts: list[str | None], start: int) -> None:
    key = bytes(range(32))
    for column in (pa.array(texts, pa.large_string())[start:], pa.array(texts * 200, pa.string_view())[start:]):
        words = noise.text_words(column, key)
        assert words.shape == (len(column), 2)
        for text, found in zip(column.to_pylist(), words.tolist(), strict=True):
            if text is not None:
                digest = hmac.digest(key, text.encode(), "sha256")
                assert found == [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")]


@given(sizes=st.lists(st.integers(0, 50), min_size=1), seed=st.integers(0, 2**32))
def test_the_next_call_goes_on_where_the_last_one_ended(sizes: list[int], seed: int) -> None:
    high = 2**63 // 3 * 2  # rejects one word in three
    words = noise.seeded_words(seed)
    parts = np.concatenate([noise.Stream(words, size).integers(0, high) for size in sizes])
    assert parts.tolist() == noise.Stream(noise.seeded_words(seed), sum(sizes)).integers(0, high).tolist()


def test_no_word_gives_an_infinite_draw() -> None:
    extremes = np.array([0, 1, 2**11 - 1, 2**11, 2**63 - 1, 2**63, 2**64 - 2**11, 2**64 - 1], np.uint64)

    def words(count: int) -> np.ndarray:
        return np.resize(extremes, count)

    draws = noise.Stream(words, 8)
    for drawn in (draws.laplace(), draws.gaussian(), draws.uniform(-1.0, 1.0)):
        assert np.isfinite(drawn).all()


def test_two_readings_of_the_system_differ() -> None:
    assert (noise.system_words(100) != noise.system_words(100)).any()
