"""How techniques meet dictionary columns, so that no technique needs to know of them.

Where an output depends on nothing but its input value, a dictionary goes through by its values, each once.
"""

from __future__ import annotations

from abc import abstractmethod

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.kernels.text import without_views
from cape_airflow.transformations.base import Binding, Kernel, Transformation


class OverValues(Transformation):
    """Base of transformations that are written for plain arrays only."""

    @abstractmethod
    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the output type for a type that is not a dictionary (see `output_type`)."""

    @abstractmethod
    def value_kernel(self, binding: Binding) -> Kernel:
        """Return the kernel for arrays that are not dictionaries (see `bind`)."""


class Elementwise(OverValues):
    """Base of transformations that look at one value at a time; dictionaries stay dictionaries."""

    def output_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return `value_type`, inside a dictionary of the same index type where the input is one."""
        if not pa.types.is_dictionary(input_type):
            return self.value_type(input_type)
        if pa.types.is_nested(input_type.value_type) or pa.types.is_dictionary(input_type.value_type):
            raise self.unsupported(input_type, "dictionaries of plain values")
        return pa.dictionary(input_type.index_type, self.value_type(input_type.value_type))

    def bind(self, binding: Binding) -> Kernel:
        """Return a kernel that takes plain arrays and dictionary arrays; refused dictionary values count once each."""
        self.check_keys(binding.keys)
        kernel = self.value_kernel(binding)

        def run(array: pa.Array) -> pa.Array:
            return _through_dictionary(array, kernel) if pa.types.is_dictionary(array.type) else kernel(array)

        return self.named(run, binding)


def _through_dictionary(array: pa.DictionaryArray, kernel: Kernel) -> pa.DictionaryArray:
    """Transform the values that occur, each once; values of the dictionary that no row uses do not come out."""
    used = pc.unique(array.indices.drop_null())
    values = array.dictionary.cast(without_views(array.dictionary.type)).take(used)
    encoded = kernel(values).dictionary_encode()
    indices = encoded.indices.take(pc.index_in(array.indices, used))
    return pa.DictionaryArray.from_arrays(indices.cast(array.type.index_type), encoded.dictionary)
