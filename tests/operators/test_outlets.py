from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from cape_airflow.hooks.compat import AirflowException
from cape_airflow.keys import add_key
from cape_airflow.operators.transform import CapeTransformOperator
from tests.airflow.coordinator import POLICY, Outage, People

CUSTOMERS = Asset(name="customers", uri="file:///data/customers.parquet")
CANARY = "canary@example.com"


def _context() -> dict[str, Any]:
    names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": -1, "try_number": 1}
    return {"ti": SimpleNamespace(**names), "outlet_events": OutletEventAccessors()}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """A source of one row, and a target."""
    pq.write_table(pa.table({"email": [CANARY], "country": ["NL"]}), tmp_path / "customers.parquet")
    return {"source": str(tmp_path / "customers.parquet"), "target": str(tmp_path / "out.parquet")}


@pytest.mark.usefixtures("connected")
def test_the_event_of_an_asset_says_which_policy_made_the_data_and_what_became_of_each_column(
    people: People, project: str, places: dict[str, str]
) -> None:
    digest = people.approve(project)
    context = _context()
    operator = CapeTransformOperator(task_id="deidentify", project=project, outlets=[CUSTOMERS], **places)
    result = operator.execute(context)
    extra = context["outlet_events"][CUSTOMERS].extra
    assert extra == {
        "policy_digest": digest,
        "job_id": result["job_id"],
        "project": project,
        "rows_out": 1,
        "columns": {
            "email": {"decision": "transformed", "techniques": ["keyed-hash"]},
            "country": {"decision": "kept", "techniques": []},
        },
    }
    assert CANARY not in json.dumps(extra)


@pytest.fixture
def by_file(tmp_path: Path) -> dict[str, str]:
    """Arguments for a policy and keys from files."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    add_key(tmp_path / "keys.json", "customer-id")
    return {"policy_file": str(tmp_path / "policy.yaml"), "key_file": str(tmp_path / "keys.json")}


def test_what_the_task_itself_says_of_an_asset_stays(places: dict[str, str], by_file: dict[str, str]) -> None:
    context = _context()
    context["outlet_events"][CUSTOMERS].extra = {"owner": "payroll", "rows_out": "many"}
    CapeTransformOperator(task_id="deidentify", outlets=[CUSTOMERS], **places, **by_file).execute(context)
    extra = context["outlet_events"][CUSTOMERS].extra
    assert (extra["owner"], extra["rows_out"], extra["project"]) == ("payroll", 1, None)


def test_every_asset_is_told_and_what_is_no_asset_is_left_alone(
    places: dict[str, str], by_file: dict[str, str]
) -> None:
    context = _context()
    others = Asset(name="others", uri="file:///data/others.parquet")
    outlets = [CUSTOMERS, others, AssetAlias("any"), "a text"]
    CapeTransformOperator(task_id="deidentify", outlets=outlets, **places, **by_file).execute(context)
    assert context["outlet_events"][CUSTOMERS].extra == context["outlet_events"][others].extra != {}
    assert len(context["outlet_events"]) == 2


def test_a_job_that_fails_says_nothing_of_its_assets(outage: Outage, places: dict[str, str]) -> None:
    outage.begin()
    context = _context()
    operator = CapeTransformOperator(task_id="deidentify", project=outage.project, outlets=[CUSTOMERS], **places)
    with pytest.raises(AirflowException):
        operator.execute(context)
    assert len(context["outlet_events"]) == 0
