"""docs/lineage.md shows what is really told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
from openlineage.client.serde import Serde

from cape_airflow.jobs import ColumnCounts
from cape_airflow.lineage import DatasetName, PolicyRun
from cape_airflow.lineage.openlineage import output_dataset, run_facets
from cape_airflow.lineage.trace import trace
from cape_airflow.policy import compile_plan, load_policy
from tests.lineage.test_run import FINISH, START


def blocks(text: str) -> list[str]:
    """Return the policy, the facet of the columns and that of the run."""
    return re.findall(r"```(?:yaml|json)\n(.*?)```", text, re.DOTALL)


def told(policy: str) -> list[dict[str, Any]]:
    """Return both facets for a policy over e-mail addresses, countries and telephone numbers."""
    plan = compile_plan(load_policy(policy), pa.schema({name: pa.string() for name in ("email", "country", "phone")}))
    lineage = trace(plan)
    source, target = (DatasetName("file", f"/data/{name}.parquet") for name in ("in", "out"))
    start = START.model_copy(update={"policy_digest": plan.policy_digest})
    counts = (ColumnCounts(name="email", decision="transformed", values=3, nulls=1), *FINISH.columns[1:])
    run = PolicyRun.of("payroll", start, lineage, FINISH.model_copy(update={"columns": counts}), None)
    columns = json.loads(Serde.to_json(output_dataset(target, source, lineage, None)))["facets"]["columnLineage"]
    facet = json.loads(Serde.to_json(run_facets(run)["cape_policy"]))
    return [columns, facet]


def test_the_example_is_what_is_told_of_its_policy(repository: Path) -> None:
    policy, *facets = blocks((repository / "docs" / "lineage.md").read_text())
    assert [json.loads(facet) for facet in facets] == told(policy)
