"""The checker of events finds what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde

from cape_airflow.jobs import Progress
from cape_airflow.lineage import DatasetName, PolicyRun
from cape_airflow.lineage.openlineage import output_dataset, run_facets
from cape_airflow.lineage.trace import trace
from tests.lineage.published import check_event
from tests.lineage.test_run import FINISH, PLAN, START


def _event() -> dict[str, Any]:
    lineage = trace(PLAN)
    here = DatasetName("file", "/data")
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(str(uuid4()), facets=run_facets(PolicyRun.of("payroll", START, lineage, FINISH, None))),
        job=Job("tests", "pay"),
        inputs=[],
        outputs=[output_dataset(here, here, lineage, Progress(rows_out=4))],
        producer="https://example.com",
    )
    return dict(json.loads(Serde.to_json(event)))


def test_a_whole_event_passes() -> None:
    check_event(_event())


def test_columns_of_a_source_without_a_name_are_still_told_to_be_masked_or_not() -> None:
    event = _event()
    written = output_dataset(DatasetName("file", "/data"), None, trace(PLAN), None)
    event["outputs"] = [json.loads(Serde.to_json(written))]
    check_event(event)
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert {name: (field["transformationType"], field["inputFields"]) for name, field in fields.items()} == {
        "email": ("MASKED", []),
        "country": ("IDENTITY", []),
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda event: event.pop("run"),
        lambda event: event["outputs"][0].update(facts={}),
        lambda event: event["outputs"][0]["facets"]["schema"]["fields"][0].update(type=7),
        lambda event: event["outputs"][0]["facets"]["columnLineage"]["fields"].update(email={}),
        lambda event: event["outputs"][0]["outputFacets"]["outputStatistics"].update(rowCount="4"),
        lambda event: event["outputs"][0]["outputFacets"]["outputStatistics"].update(_schemaURL="https://example.com"),
        lambda event: event["run"]["facets"]["cape_policy"]["coverage"][0].pop("masked"),
    ],
)
def test_a_damaged_event_does_not(damage: Callable[[dict[str, Any]], object]) -> None:
    event = _event()
    damage(event)
    with pytest.raises(Exception):  # noqa: B017, PT011 - what is raised depends on what is damaged
        check_event(event)
