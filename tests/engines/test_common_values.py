"""Values of an input are found in an output by HMACs, on a sample, and told from coincidences."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cape_airflow.engines.common_values import CommonValues, most_by_chance
from cape_airflow.jobs import Outcome
from cape_airflow.transformations.grammar import Grammar


def test_a_value_of_the_sample_is_found_wherever_it_comes_out_and_the_sample_is_as_large_as_it_is_to_be() -> None:
    common = CommonValues(Grammar("never"), size=100)
    for start in range(0, 10_000, 1000):
        common.went_in(pa.array([f"v{n}" for n in range(start, start + 1000)]))
    common.came_out(pa.array([f"v{n}" for n in range(10_000)] * 2))
    outcome, rows = common.found(20_000)
    assert (outcome, rows) == (Outcome.BROKEN, 200)


def test_coincidences_are_told_from_leaks() -> None:
    grammar = Grammar("[0-9]{6}", 20)  # one in a million
    values = [f"{n:06d}" for n in range(0, 100_000, 10)]
    generator = np.random.default_rng(4711)
    common, leaking, dense = (CommonValues(grammar) for _ in range(3))
    for each in (common, leaking, dense):
        each.went_in(pa.array(values))
    results = [f"{n:06d}" for n in generator.integers(0, 10**6, 10_000)]
    common.came_out(pa.array(results))
    leaking.came_out(pa.array(results + values[:200]))
    dense.came_out(pa.array(values))
    assert common.found(10_000) == (Outcome.KEPT, 0)
    assert leaking.found(10_200)[0] is Outcome.BROKEN
    assert dense.found(10**6)[0] is Outcome.UNCHECKED


@pytest.mark.parametrize(("expected", "most"), [(0.0, 0), (1e-12, 0), (1e-5, 1), (1.0, 12)])
def test_more_than_chance_is_a_billion_to_one(expected: float, most: int) -> None:
    assert most_by_chance(expected) == most
    assert most_by_chance(100_000) < 102_100


def test_memory_does_not_grow_with_the_data() -> None:
    common = CommonValues(Grammar("never"), size=1000)
    numbers = pa.array(np.arange(100_000)).cast(pa.string())
    common.went_in(numbers)
    tracemalloc.start()
    for _ in range(10):
        numbers = pc.binary_join_element_wise(numbers, "x", "")
        common.went_in(numbers)
        common.came_out(numbers)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000
