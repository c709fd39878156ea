"""What OpenLineage hears of our operators, through Airflow's own provider and over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from openlineage.client import OpenLineageClient
from openlineage.client.transport.http import HttpConfig, HttpTransport

from cape_airflow.hooks.compat import AirflowException
from cape_airflow.operators.spark import CapeSparkOperator
from cape_airflow.operators.transform import CapeTransformOperator
from tests.airflow.coordinator import People
from tests.lineage.customers import ROWS, customers, secrets_of, without_a_subject
from tests.lineage.published import check_event

TI = SimpleNamespace(dag_id="pay", run_id="manual__1", task_id="deidentify", map_index=-1, try_number=1)


class Consumer:
    """A consumer of events over HTTP; `events` are those that came, checked against the specification."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        events = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        transport = HttpTransport(HttpConfig(url=f"http://127.0.0.1:{self.server.server_port}"))
        self._adapter = OpenLineageAdapter(client=OpenLineageClient(transport=transport))

    def hear(self, state: str, lineage: OperatorLineage[Any, Any] | None) -> dict[str, Any]:
        """Send an event as Airflow's listener sends it, with its redaction; return what arrived."""
        assert lineage is not None
        when = "event_time" if state == "start" else "end_time"
        getattr(self._adapter, f"{state}_task")(
            run_id=str(uuid4()),
            job_name="pay.deidentify",
            task=lineage,
            nominal_start_time=None,
            nominal_end_time=None,
            owners=[],
            tags=[],
            job_description=None,
            **{when: datetime.now(UTC).isoformat()},
        )
        check_event(self.events[-1])
        return self.events[-1]


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    consumer = Consumer()
    thread = threading.Thread(target=consumer.server.serve_forever)
    thread.start()
    yield consumer
    consumer.server.shutdown()
    consumer.server.server_close()
    thread.join(10)


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """The arguments of an operator over `ROWS`."""
    return customers(tmp_path)


def _operator(places: dict[str, str], **changed: Any) -> CapeTransformOperator:
    return CapeTransformOperator(task_id="deidentify", **{**places, **changed})


def _completed(places: dict[str, str], consumer: Consumer) -> dict[str, Any]:
    operator = _operator(places)
    operator.execute({"ti": TI})
    return consumer.hear("complete", DefaultExtractor(operator).extract_on_complete(TI))


def _inputs(event: dict[str, Any], column: str) -> list[tuple[str, str, bool]]:
    """Return (input column, subtype, masking) of an output column."""
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"][column]["inputFields"]
    return [(each["field"], *_seen(each)) for each in fields]


def _seen(field: dict[str, Any]) -> tuple[str, bool]:
    [transformation] = field["transformations"]
    return transformation["subtype"], transformation["masking"]


def _tags(dataset: dict[str, Any]) -> set[tuple[str, str]]:
    return {(tag["field"], tag["key"]) for tag in dataset["facets"]["tags"]["tags"]}


def test_a_tokenised_column_is_masked_a_kept_one_is_not_and_a_dropped_one_is_not_there(
    places: dict[str, str], consumer: Consumer
) -> None:
    event = _completed(places, consumer)
    assert _inputs(event, "email") == [("email", "TRANSFORMATION", True)]
    assert _inputs(event, "country") == [("country", "IDENTITY", False)]
    assert _inputs(event, "password") == [("password", "TRANSFORMATION", True)]
    assert _inputs(event, "visit") == [("visit", "TRANSFORMATION", True), ("email", "CONDITIONAL", True)]
    lineage = event["outputs"][0]["facets"]["columnLineage"]
    assert set(lineage["fields"]) == {"email", "password", "visit", "country"}
    assert [(each["field"], *_seen(each)) for each in lineage["dataset"]] == [("country", "FILTER", False)]
    said = lineage["fields"]["password"]["inputFields"][0]["transformations"][0]["description"]
    assert said == "deterministic-encryption: masked, reversible, linkable"


def test_both_datasets_have_names_schemas_and_statistics(places: dict[str, str], consumer: Consumer) -> None:
    event = _completed(places, consumer)
    [read], [written] = event["inputs"], event["outputs"]
    assert (read["namespace"], read["name"]) == ("file", places["source"])
    assert (written["namespace"], written["name"]) == ("file", places["target"])
    assert [field["name"] for field in read["facets"]["schema"]["fields"]] == list(ROWS)
    types = {field["name"]: field["type"] for field in written["facets"]["schema"]["fields"]}
    assert types == {"email": "string", "password": "string", "visit": "int64", "country": "string"}
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 3
    statistics = written["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (2, Path(places["target"]).stat().st_size)


def test_a_tag_ends_at_the_hash_and_goes_on_past_the_encryption_also_in_the_written_file(
    places: dict[str, str], consumer: Consumer
) -> None:
    event = _completed(places, consumer)
    all_three = {(name, f"pii.{name}") for name in ("email", "password", "country")}
    assert _tags(event["inputs"][0]) == all_three
    assert _tags(event["outputs"][0]) == all_three - {("email", "pii.email")}
    written = pq.read_schema(places["target"])
    assert written.field("password").metadata[b"cape.tags"] == b"pii.password"
    assert b"cape.tags" not in (written.field("email").metadata or {})


def test_no_value_key_or_constant_of_the_policy_is_in_an_event(places: dict[str, str], consumer: Consumer) -> None:
    text = json.dumps(_completed(places, consumer))
    assert [each for each in secrets_of(places) if each in text] == []


def test_at_the_start_only_names_and_the_project_are_known(places: dict[str, str], consumer: Consumer) -> None:
    given = {name: places[name] for name in ("source", "target")}
    event = consumer.hear("start", DefaultExtractor(_operator(given, project="payroll")).extract())
    assert [each["name"] for each in (*event["inputs"], *event["outputs"])] == [places["source"], places["target"]]
    facet = event["run"]["facets"]["cape_policy"]
    assert {name for name in facet if not name.startswith("_")} == {"project"}
    assert facet["project"] == "payroll"


def test_a_failure_tells_its_class_and_no_output_and_no_value(places: dict[str, str], consumer: Consumer) -> None:
    without_a_subject(places)
    operator = _operator(places)
    with pytest.raises(AirflowException, match="ValueRefused"):
        operator.execute({"ti": TI})
    event = consumer.hear("fail", DefaultExtractor(operator).extract_on_failure(TI))
    facet = event["run"]["facets"]["cape_policy"]
    assert facet["error"] == {"type": "ValueRefused"}
    assert facet["jobId"]
    assert "outputStatistics" not in event["outputs"][0].get("outputFacets", {})
    assert "canary" not in json.dumps(event)


def test_a_refusal_of_the_coordinator_tells_its_code(
    people: People, project: str, places: dict[str, str], connected: None, consumer: Consumer
) -> None:
    given = {name: places[name] for name in ("source", "target")}
    operator = _operator(given, project="nobody-knows-it")
    with pytest.raises(AirflowException):
        operator.execute({"ti": TI})
    event = consumer.hear("fail", DefaultExtractor(operator).extract_on_failure(TI))
    assert event["run"]["facets"]["cape_policy"]["error"] == {"type": "CoordinatorRefused", "code": "not-found"}


def test_an_error_in_the_lineage_itself_shows_no_value(places: dict[str, str]) -> None:
    operator = _operator(places)
    operator._planned = {"policy_digest": ["canary"]}
    with pytest.raises(AirflowException) as caught:
        operator.get_openlineage_facets_on_complete(TI)
    assert "canary" not in str(caught.value)


def test_where_openlineage_is_not_installed_the_policy_is_applied_all_the_same(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("openlineage", "openlineage.client", "airflow.providers.openlineage.extractors"):
        monkeypatch.setitem(sys.modules, package, None)
    assert _operator(places).execute({"ti": TI})["rows_out"] == 2


def test_a_task_that_begins_waits_for_no_import_of_arrow_or_policies(outside_environment: dict[str, str]) -> None:
    script = """
import sys
from cape_airflow.operators.transform import CapeTransformOperator
CapeTransformOperator(task_id="t", source="/in", target="/out", project="p").get_openlineage_facets_on_start()
print([name for name in ("pyarrow", "sqlglot", "cape_airflow.policy") if name in sys.modules])
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=outside_environment
    )
    assert ran.stdout.splitlines()[-1] == "[]"


class TestSpark:
    def _operator(self, **changed: Any) -> CapeSparkOperator:
        given = {"policy_file": "policy.yaml", "source": "/data/in", "target": "/data/out"} | changed
        return CapeSparkOperator(task_id="deidentify", **given)

    def _planned(self, places: dict[str, str], **changed: Any) -> CapeSparkOperator:
        """Return an operator that has been resumed: it knows of its plan what was stored."""
        first = _operator(places)
        first.execute({"ti": TI})
        resumed = self._operator(**changed)
        resumed._planned = json.loads(json.dumps(first._lineage_data()))
        return resumed

    def test_after_a_deferral_the_lineage_is_that_of_the_plan(self, places: dict[str, str], consumer: Consumer) -> None:
        event = consumer.hear("complete", DefaultExtractor(self._planned(places)).extract_on_complete(TI))
        assert _inputs(event, "email") == [("email", "TRANSFORMATION", True)]
        assert _inputs(event, "country") == [("country", "IDENTITY", False)]

    def test_of_what_a_users_function_makes_of_the_output_no_column_is_claimed(
        self, places: dict[str, str], consumer: Consumer
    ) -> None:
        operator = self._planned(places, after="module:function")
        event = consumer.hear("complete", DefaultExtractor(operator).extract_on_complete(TI))
        assert "facets" not in event["outputs"][0] or event["outputs"][0]["facets"] == {}
        assert {each["name"] for each in event["run"]["facets"]["cape_policy"]["coverage"]} == set(ROWS)

    @pytest.mark.parametrize(
        ("changed", "names"),
        [
            ({}, ["file /data/in", "file /data/out"]),
            (
                {"source": "sales.customers", "source_format": "table", "target": "safe.c", "target_format": "table"},
                ["spark://spark_default sales.customers", "spark://spark_default safe.c"],
            ),
            ({"source": None, "build": "made:customers"}, ["spark://spark_default made:customers", "file /data/out"]),
        ],
    )
    def test_tables_and_functions_are_named_by_the_connection(
        self, changed: dict[str, Any], names: list[str], consumer: Consumer
    ) -> None:
        event = consumer.hear("start", DefaultExtractor(self._operator(**changed)).extract())
        assert [f"{each['namespace']} {each['name']}" for each in (*event["inputs"], *event["outputs"])] == names
