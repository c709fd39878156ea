"""Keys and a short way to run one technique."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.transformations import Binding, Transformation, create

Transform = Callable[..., pa.Array]


class StaticKeys:
    """Keys of the tests: `customer-id` has two versions, `old-key` is one of Cape's 32 bytes."""

    def __init__(self, **materials: bytes) -> None:
        self._keys = {name: Key(name, {1: Secret(material)}) for name, material in materials.items()}

    def get(self, name: str) -> Key | None:
        return self._keys.get(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self._keys)


@pytest.fixture(scope="session")
def ring() -> Callable[..., KeyRing]:
    """Make a KeyRing from names and bytes."""
    return lambda **materials: KeyRing(StaticKeys(**{name.replace("_", "-"): key for name, key in materials.items()}))


@pytest.fixture(scope="session")
def keys(ring: Callable[..., KeyRing]) -> KeyRing:
    """The keys of the examples in the documentation."""
    return ring(customer_id=bytes(range(64)), old_key=bytes(range(32)))


@pytest.fixture(scope="session")
def transform(keys: KeyRing) -> Transform:
    """Create, compile, bind and run one technique over one array; checks what every result must keep."""

    def run(spec: dict[str, Any], array: pa.Array, *others: pa.Array, **binding: Any) -> pa.Array:
        technique = create(spec)
        assert isinstance(technique, Transformation)
        declared = technique.output_type(array.type)
        result = technique.bind(Binding(**{"keys": keys, "domain": "test", "column": "c", **binding}))(array, *others)
        result.validate(full=True)
        assert (result.type, len(result)) == (declared, len(array))
        return result

    return run
