"""Lineage as objects of OpenLineage's client, which this module imports: only where events are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attr
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
    tags_dataset,
)
from openlineage.client.facet_v2 import column_lineage_dataset as columns_of

from cape_airflow.lineage.facts import ColumnTrace, Influence, Lineage
from cape_airflow.lineage.naming import DatasetName
from cape_airflow.lineage.run import FACET, PRODUCER, SCHEMA_URL, PolicyRun

if TYPE_CHECKING:
    from cape_airflow.jobs import Progress


@attr.define
class CapePolicyRunFacet(RunFacet):
    """Our facet of a run; its fields are those of `PolicyRun`."""

    @staticmethod
    def _get_schema() -> str:
        return SCHEMA_URL


def run_facets(run: PolicyRun) -> dict[str, Any]:
    """Return our facet under its name."""
    return {FACET: CapePolicyRunFacet(producer=PRODUCER).with_additional_properties(**run.to_dict())}


def input_dataset(name: DatasetName, lineage: Lineage | None, progress: Progress | None) -> InputDataset:
    """Return what is read: with its schema and tags once a plan is there, with statistics once it has been read."""
    columns = lineage.columns if lineage else ()
    facets = _schema_and_tags([(each.name, each.input_type, each.input_tags) for each in columns])
    read: dict[str, Any] = {}
    if progress is not None:
        read["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=progress.rows_in, size=progress.bytes_in or None, producer=PRODUCER
        )
    return InputDataset(name.namespace, name.name, facets=facets, inputFacets=read)


def output_dataset(
    name: DatasetName, source: DatasetName | None, lineage: Lineage | None, progress: Progress | None
) -> OutputDataset:
    """Return what is written, as `input_dataset`, and its column lineage; a source without a name has no columns."""
    columns = [each for each in lineage.columns if each.output_type is not None] if lineage else []
    facets = _schema_and_tags([(each.name, each.output_type or "", each.output_tags) for each in columns])
    if lineage is not None:
        facets["columnLineage"] = _column_lineage(source, columns, lineage.filters)
    written: dict[str, Any] = {}
    if progress is not None:
        written["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=progress.rows_out, size=progress.bytes_out or None, producer=PRODUCER
        )
    return OutputDataset(name.namespace, name.name, facets=facets, outputFacets=written)


def _schema_and_tags(columns: list[tuple[str, str, tuple[str, ...]]]) -> dict[str, DatasetFacet]:
    facets: dict[str, DatasetFacet] = {}
    if columns:
        fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind, _ in columns]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields, producer=PRODUCER)
    tags = [
        tags_dataset.TagsDatasetFacetFields(key=tag, value="true", source="CAPE", field=name)
        for name, _, tagged in columns
        for tag in tagged
    ]
    if tags:
        facets["tags"] = tags_dataset.TagsDatasetFacet(tags=tags, producer=PRODUCER)
    return facets


def _column_lineage(
    source: DatasetName | None, columns: Iterable[ColumnTrace], filters: Iterable[Influence]
) -> columns_of.ColumnLineageDatasetFacet:
    return columns_of.ColumnLineageDatasetFacet(
        fields={column.name: _column(source, column) for column in columns},
        dataset=[_field(source, each.column, [_indirect("FILTER", each)]) for each in filters] if source else [],
        producer=PRODUCER,
    )


def _column(source: DatasetName | None, column: ColumnTrace) -> columns_of.Fields:
    """Return what a column is made of; its type is the older form of masking, and all there is without a source."""
    kind = "MASKED" if column.masked else None if column.techniques else "IDENTITY"
    return columns_of.Fields(
        inputFields=_inputs(source, column) if source else [],
        transformationDescription=_described(column),
        transformationType=kind,
    )


def _inputs(source: DatasetName, column: ColumnTrace) -> list[columns_of.InputField]:
    direct = columns_of.Transformation(
        type="DIRECT",
        subtype="TRANSFORMATION" if column.techniques else "IDENTITY",
        description=_described(column),
        masking=column.masked,
    )
    others = [_field(source, each.column, [_indirect("CONDITIONAL", each)]) for each in column.influences]
    return [_field(source, column.name, [direct]), *others]


def _field(source: DatasetName, column: str, transformations: list[columns_of.Transformation]) -> columns_of.InputField:
    return columns_of.InputField(source.namespace, source.name, column, transformations=transformations)


def _indirect(subtype: str, influence: Influence) -> columns_of.Transformation:
    return columns_of.Transformation(
        type="INDIRECT", subtype=subtype, description=influence.what, masking=influence.masked
    )


def _described(column: ColumnTrace) -> str:
    """Return what happens to a column in words, e.g. ``keyed-hash: masked, one-way, linkable``."""
    if not column.techniques:
        return "kept"
    readable = "reversible" if column.reversible else "one-way"
    traits = ["masked", readable] if column.masked else ["readable again"]
    return ", ".join([f"{' then '.join(column.techniques)}: {traits[0]}", *traits[1:], *["linkable"] * column.linkable])
