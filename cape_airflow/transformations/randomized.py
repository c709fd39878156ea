"""What all techniques that add noise share: they look at rows one by one, so dictionaries come out plain."""

from __future__ import annotations

from abc import abstractmethod

import pyarrow as pa

from cape_airflow.transformations.base import Binding, Kernel, Transformation

NOT_DP = "random noise of this kind is not differential privacy: repeated or joined outputs can average it away"


SEEDED = "seeded noise: whoever knows the seed, which the policy shows, can take the noise away"


class Randomized(Transformation):
    """Base of noise; equal inputs give different outputs, also where a dictionary holds them once."""

    @abstractmethod
    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the output type for a type that is not a dictionary (see `output_type`)."""

    @abstractmethod
    def value_kernel(self, binding: Binding) -> Kernel:
        """Return the kernel for arrays that are not dictionaries (see `bind`)."""

    def output_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return `value_type`, for dictionaries that of their values."""
        return self.value_type(input_type.value_type if pa.types.is_dictionary(input_type) else input_type)

    def bind(self, binding: Binding) -> Kernel:
        """Return a kernel that takes plain arrays and dictionary arrays."""
        kernel = self.value_kernel(binding)

        def run(array: pa.Array) -> pa.Array:
            return kernel(array.dictionary_decode() if pa.types.is_dictionary(array.type) else array)

        return self.named(run, binding)
