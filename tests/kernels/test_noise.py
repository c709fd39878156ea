from __future__ import annotations

import math

import numpy as np
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


@pytest.mark.parametrize("words", [noise.system_words, noise.seeded_words(1)])
def test_draws_have_their_distribution(words: noise.Words) -> None:
    uniform = np.sort(noise.uniform(words, COUNT, -2.0, 3.0))
    gaussian = np.sort(noise.gaussian(words, COUNT))
    laplace = np.sort(noise.laplace(words, COUNT))
    normal = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in gaussian])
    tails = 0.5 * np.exp(-np.abs(laplace))
    for draws, distribution in (
        (uniform, (uniform + 2) / 5),
        (gaussian, normal),
        (laplace, np.where(laplace < 0, tails, 1 - tails)),
    ):
        assert _distance(draws, distribution) * math.sqrt(COUNT) < CRITICAL


def test_a_wrong_distribution_would_be_noticed() -> None:
    draws = np.sort(noise.uniform(noise.system_words, COUNT, 0.0, 1.02))
    assert _distance(draws, draws.clip(0, 1)) * math.sqrt(COUNT) > CRITICAL


@given(low=st.integers(-(2**63), -1), span=st.integers(0, 2**63), seed=st.integers(0, 2**32))
def test_integers_stay_within_their_ends(low: int, span: int, seed: int) -> None:
    draws = noise.integers(noise.seeded_words(seed), 20, low, low + span)
    assert all(low <= draw <= low + span for draw in draws.tolist())


@given(sizes=st.lists(st.integers(0, 50), min_size=1), seed=st.integers(0, 2**32))
def test_the_next_call_goes_on_where_the_last_one_ended(sizes: list[int], seed: int) -> None:
    high = 2**63 // 3 * 2  # rejects one word in three
    words = noise.seeded_words(seed)
    parts = np.concatenate([noise.integers(words, size, 0, high) for size in sizes])
    assert parts.tolist() == noise.integers(noise.seeded_words(seed), sum(sizes), 0, high).tolist()


def test_no_word_gives_an_infinite_draw() -> None:
    extremes = np.array([0, 1, 2**11 - 1, 2**11, 2**63 - 1, 2**63, 2**64 - 2**11, 2**64 - 1], np.uint64)

    def words(count: int) -> np.ndarray:
        return np.resize(extremes, count)

    for draws in (noise.laplace(words, 8), noise.gaussian(words, 8), noise.uniform(words, 8, -1.0, 1.0)):
        assert np.isfinite(draws).all()


def test_two_readings_of_the_system_differ() -> None:
    assert (noise.system_words(100) != noise.system_words(100)).any()
