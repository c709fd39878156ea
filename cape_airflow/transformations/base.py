"""What a technique is: declared once, used by compile, engines, docs, lint and JSON Schema.

- A *technique* is a frozen pydantic model whose fields are the parameters of a policy's ``transform``.
- A *transformation* is a technique that maps one column to one column of the same length; it may look at others.
- `bind` gives the function that engines run over Arrow arrays. It is where keys and random state come in, so
  that techniques and Plans stay plain data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from cape_airflow.arrow_types import type_name
from cape_airflow.errors import SchemaMismatch, ValueRefused
from cape_airflow.keys import KeyRing
from cape_airflow.transformations.grammar import Grammar

Kernel = Callable[..., pa.Array]
"""Called with the array to transform, and those of `Transformation.other_columns`; see `Transformation.bind`."""


class Family(StrEnum):
    """ISO/IEC 20889:2018 families of de-identification techniques."""

    SUPPRESSION = "suppression"
    PSEUDONYMIZATION = "pseudonymization"
    CRYPTOGRAPHIC = "cryptographic tool"
    GENERALIZATION = "generalization"
    RANDOMIZATION = "randomization"
    REIDENTIFICATION = "re-identification"


class KeyReference(BaseModel):
    """``key: {ref: NAME}``: names a key; never holds one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    ref: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True)
class Binding:
    """What a transformation may know of the run that it is bound to.

    Args:
        keys: where key references resolve.
        domain: the policy's pseudonymisation domain.
        column: name of the input column, for error messages.
        row_count: rows that reach this step; only set where `needs_row_count` asks for it.
    """

    keys: KeyRing
    domain: str = ""
    column: str = ""
    row_count: int | None = None


@dataclass(frozen=True)
class Example:
    """A worked example for docs and UI; a test runs it.

    Args:
        input: one value, as text.
        output: what comes out, as text; of random techniques, one of the possible outputs.
        parameters: of the policy. A key is 64 bytes 00, 01 .. 3f, or 32 bytes 00 .. 1f for Cape's reversible tokens.
        input_type: Arrow type of the column.
    """

    input: str
    output: str
    parameters: dict[str, object] = field(default_factory=dict)
    input_type: str = "string"


class Technique(BaseModel):
    """Parameters and metadata of one policy ``type``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_bytes="base64")

    type: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    family: ClassVar[Family]
    reversible: ClassVar[bool] = False
    """Whoever holds the key can get the input back."""
    linkable: ClassVar[bool] = True
    """Equal inputs give equal outputs (deterministic), so that rows can be joined or counted by them."""
    example: ClassVar[Example]

    @property
    def is_linkable(self) -> bool:
        """Whether equal inputs give equal outputs with these parameters; `linkable` says it of the technique."""
        return self.linkable

    @property
    def masks(self) -> bool:
        """Whether what comes out hides what went in; re-identification does the contrary."""
        return self.family is not Family.REIDENTIFICATION

    @property
    def one_way(self) -> bool:
        """Whether nobody gets the input back, whatever key they hold."""
        return self.masks and not self.reversible

    def key_references(self) -> Iterator[KeyReference]:
        """Yield the keys that this technique needs."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, KeyReference):
                yield value

    def check_keys(self, keys: KeyRing) -> None:
        """Ask for the keys of this technique, and whether it may use them as it would.

        Raises:
            KeyUnavailable: one cannot be had; it may not be used to reveal, and this would; a version is retired.
        """
        for reference in self.key_references():
            key = keys.get(reference.ref)
            if self.family is Family.REIDENTIFICATION:
                key.require_reveal()

    def notes(self) -> Iterator[str]:
        """Yield what a reviewer and the job report should say about these parameters (e.g. a random key)."""
        return iter(())


class Transformation(Technique, ABC):
    """A technique that maps one column to one column: null in, null out; same length; pure."""

    @property
    def other_columns(self) -> Mapping[str, str]:
        """Columns that the result depends on, too, by the parameter that names each; of most techniques none.

        Kernels get them as they came in, whatever other steps make of them. They are of types that have canonical text
        (see `kernels.text`), plain or in dictionaries.
        """
        return {}

    @property
    def ordered(self) -> bool:
        """Whether the result depends on the position of a row, so that batches must come in order."""
        return False

    @property
    def needs_row_count(self) -> bool:
        """Whether `Binding.row_count` must be known before the first batch."""
        return False

    @abstractmethod
    def output_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the type of the output column.

        Raises:
            SchemaMismatch: this technique cannot take that type (see `unsupported`).
        """

    @abstractmethod
    def bind(self, binding: Binding) -> Kernel:
        """Return the function that transforms arrays of this column, batch after batch.

        A kernel takes an array of a type that `output_type` accepts, of any length or offset, and returns an array of
        `output_type` and the same length. Arrays of the `other_columns`, of the same rows, follow in their order. A new
        kernel starts new random state.

        Raises:
            KeyUnavailable: a key cannot be had, or is of the wrong length.
            ValueRefused: (the kernel) values that cannot be taken, counted and never shown.
        """

    def grammar(self, output_type: pa.DataType) -> Grammar | None:
        """Return what every result looks like, none of which is a value that went in; None where nothing can be said.

        Args:
            output_type: of the results, not a dictionary.
        """
        return None

    def named(self, kernel: Kernel, binding: Binding) -> Kernel:
        """Return the kernel with errors that say which technique refused values of which column."""

        def run(array: pa.Array, *others: pa.Array) -> pa.Array:
            try:
                return kernel(array, *others)
            except ValueRefused as error:
                raise ValueRefused(f"column `{binding.column}`, `{self.type}`: {error}") from None

        return run

    def unsupported(self, input_type: pa.DataType, takes: str) -> SchemaMismatch:
        """Return the error for a type that this technique cannot take."""
        return SchemaMismatch(f"`{self.type}` takes {takes}, not {type_name(input_type)}")
