"""What every technique says of itself, and whether it is true."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pyarrow as pa
import pytest

from cape_airflow.transformations import Family, Technique, Transformation, techniques

TRANSFORMATIONS = [
    pytest.param(kind, id=name) for name, kind in techniques().items() if issubclass(kind, Transformation)
]
TECHNIQUES = [pytest.param(kind, id=name) for name, kind in techniques().items()]


@pytest.mark.parametrize("kind", TRANSFORMATIONS)
def test_the_example_gives_what_it_says(kind: type[Technique], transform: Callable[..., pa.Array]) -> None:
    example = kind.example
    array = pa.array([example.input]).cast(pa.type_for_alias(example.input_type))
    result = transform({"type": kind.type, **example.parameters}, array, domain="", row_count=1)
    assert result.cast(pa.string()).to_pylist() == [example.output]


@pytest.mark.parametrize("kind", TECHNIQUES)
def test_the_docstring_names_every_parameter_and_what_is_not_given(kind: type[Technique]) -> None:
    text, _, arguments = (inspect.getdoc(kind) or "").partition("\nArgs:\n")
    assert set(re.findall(r"^    (\w+): ", arguments, re.MULTILINE)) >= set(kind.model_fields) - {"seed"}
    assert "Not given: " in text


@pytest.mark.parametrize("kind", TECHNIQUES)
def test_the_metadata_is_complete(kind: type[Technique]) -> None:
    assert kind.type == kind.type.lower()
    assert isinstance(kind.family, Family)
    assert kind.reversible == (kind.family is Family.CRYPTOGRAPHIC)
    assert not (kind.linkable and kind.family is Family.RANDOMIZATION)
    assert "key" in kind.model_fields or not kind.reversible
