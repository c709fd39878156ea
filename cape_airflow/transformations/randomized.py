"""What all techniques that add noise share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from cape_airflow.transformations.base import Binding, Family, Kernel
from cape_airflow.transformations.parameters import Seed
from cape_airflow.transformations.values import OverValues


class Randomized(OverValues):
    """Base of noise. Dictionaries come out plain, for equal inputs give different outputs."""

    family: ClassVar[Family] = Family.RANDOMIZATION
    linkable: ClassVar[bool] = False

    seed: Seed = None

    @property
    def ordered(self) -> bool:
        """Seeded noise depends on the position of a row."""
        return self.seed is not None

    @property
    def adds_nothing(self) -> str:
        """What the range leaves no choice of noise for; empty where there is some for everything."""
        return ""

    def notes(self) -> Iterator[str]:
        """Say what this noise is not."""
        yield "random noise of this kind is not differential privacy: joined or repeated outputs can average it away"
        if self.seed is not None:
            yield "seeded noise: whoever knows the seed, which the policy shows, can take the noise away"
        if self.adds_nothing:
            yield f"no noise is added to {self.adds_nothing}: the range leaves it no choice"

    def output_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return `value_type`, for dictionaries that of their values."""
        return self.value_type(input_type.value_type if pa.types.is_dictionary(input_type) else input_type)

    def bind(self, binding: Binding) -> Kernel:
        """Return a kernel that takes plain arrays and dictionary arrays."""
        kernel = self.value_kernel(binding)

        def run(*columns: pa.Array) -> pa.Array:
            return kernel(*(_plain(column) for column in columns))

        return self.named(run, binding)


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
