"""What lineage tells of columns: plain data.

Of a policy only techniques and places are told, no parameters and no conditions: these may quote values. Whoever wants
the words finds them by the digest.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Fact(BaseModel):
    """Base of what lineage tells: plain data, in JSON with the names that OpenLineage's own facets have."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, use_attribute_docstrings=True
    )


class Influence(Fact):
    """A column that has a say in others' values or in which rows stay, while its own values go nowhere."""

    column: str
    """The input column."""
    masked: bool
    """What is read is no longer what came in, or does not show in what comes out."""
    what: str
    """What it decides, in a few words."""


class ColumnTrace(Fact):
    """What becomes of one input column."""

    name: str
    """The input column."""
    input_type: str
    """Arrow type as text."""
    output_type: str | None = None
    """The same, of what is written; absent where the column is dropped."""
    decision: Literal["transformed", "kept", "dropped"]
    """What the policy decided."""
    techniques: tuple[str, ...]
    """Policy types in the order applied."""
    rules: tuple[str, ...]
    """Places in the policy, e.g. rules[2]."""
    masked: bool
    """What comes out, if anything, does not show what went in."""
    reversible: bool
    """It is masked, and whoever holds the keys gets the input back."""
    linkable: bool
    """Equal inputs still give equal outputs."""
    influences: tuple[Influence, ...] = ()
    """Other columns that its values depend on."""
    input_tags: tuple[str, ...] = ()
    """Tags of the column that is read."""
    output_tags: tuple[str, ...] = ()
    """Those that are still true of what is written: a one-way step ends them."""


class Lineage(Fact):
    """What a policy does to the columns of one dataset."""

    policy_digest: str
    """64 lower-case hex digits."""
    policy_label: str
    """Name of the policy, or empty."""
    columns: tuple[ColumnTrace, ...]
    """One for each input column, in their order."""
    filters: tuple[Influence, ...] = ()
    """Columns that decide which rows stay."""
