from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
import pytest
from pydantic import ValidationError

from cape_airflow.errors import ValueRefused
from cape_airflow.keys import KeyRing
from cape_airflow.transformations import Binding, Family, Kernel, KeyReference, SuppressRecord, Transformation, create


class Refuse(Transformation):
    """A technique of a user that refuses everything."""

    type: ClassVar[str] = "refuse"
    family: ClassVar[Family] = Family.SUPPRESSION

    def output_type(self, input_type: pa.DataType) -> pa.DataType:
        return input_type

    def bind(self, binding: Binding) -> Kernel:
        def refuse(array: pa.Array) -> pa.Array:
            raise ValueRefused(f"{len(array)} values refused: it is not their day")

        return self.named(refuse, binding)


def test_a_refusal_names_column_and_technique() -> None:
    kernel = Refuse().bind(Binding(KeyRing(), column="age"))
    with pytest.raises(ValueRefused) as refusal:
        kernel(pa.array([1, 2]))
    assert str(refusal.value) == "column `age`, `refuse`: 2 values refused: it is not their day"


def test_a_kernel_with_named_errors_gets_the_other_columns_in_their_order() -> None:
    kernel = Refuse().named(lambda *columns: pa.concat_arrays(columns), Binding(KeyRing(), column="age"))
    assert kernel(pa.array([1]), pa.array([2]), pa.array([3])).to_pylist() == [1, 2, 3]


def test_a_technique_needs_no_order_no_row_count_and_no_other_column_unless_it_says_so() -> None:
    assert (Refuse().ordered, Refuse().needs_row_count, list(Refuse().notes())) == (False, False, [])
    assert dict(Refuse().other_columns) == {}


def test_a_key_reference_holds_a_name_and_nothing_else() -> None:
    with pytest.raises(ValidationError):
        KeyReference.model_validate({"ref": "customer-id", "value": "c2VjcmV0"})
    technique = create({"type": "keyed-hash", "key": {"ref": "customer-id"}})
    assert list(technique.key_references()) == [KeyReference(ref="customer-id")]
    assert not list(create({"type": "tokenizer"}).key_references())


def test_techniques_are_values_that_nobody_changes() -> None:
    technique = SuppressRecord(condition="age < 18")
    assert technique == SuppressRecord(condition="age < 18")
    with pytest.raises(ValidationError, match="frozen"):
        technique.condition = None  # type: ignore[misc]
