"""Tasks that fail at each step, with canaries in all that they are given; see tests/airflow/test_leaks.py.

The parameter `folder` holds the data; `projects` are labels of projects, one for each task that has one.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor


def transform(task_id: str, source: str = "people.parquet", **changed: Any) -> CapeTransformOperator:
    """A task that reads from the folder and writes into it, each to a file of its own."""
    given = {
        "source": source if ":" in source else f"{{{{ params.folder }}}}/{source}",
        "target": f"{{{{ params.folder }}}}/out/{task_id}.parquet",
    }
    return CapeTransformOperator(task_id=task_id, **{**given, **changed})


PROJECT = "{{ params.project }}"
KEYLESS = "{{ params.keyless }}"
POLICY = "{{ params.folder }}/policy.yaml"
KEYS = "{{ params.folder }}/keys.json"

with DAG(
    dag_id="cape_leaks",
    schedule=None,
    params={name: Param("", type="string") for name in ("folder", "project", "keyless", "undecided")},
):
    early = [
        transform("succeeds", project=PROJECT),
        transform("key_from_a_file", policy_file=POLICY, key_file=KEYS),
        transform("policy_is_wrong", policy_file="{{ params.folder }}/wrong.yaml", key_file=KEYS),
        transform("column_is_missing", "lacking.parquet", project=PROJECT),
        transform(
            "type_is_wrong",
            "people.csv",
            policy_file=POLICY,
            key_file=KEYS,
            source_options={"column_types": {"email": "int64", "name": "string", "country": "string"}},
        ),
        transform("key_is_missing", project=KEYLESS),
        transform("coordinator_is_away", project=PROJECT, cape_conn_id="leaks_dead"),
        transform("coordinator_goes_before_the_commit", project=PROJECT, cape_conn_id="leaks_commit"),
        transform("coordinator_takes_no_report", project=PROJECT, cape_conn_id="leaks_report"),
        transform("target_cannot_be_written", target="/proc/leaks/out.parquet", project=PROJECT),
        transform(
            "storage_is_away", source="s3://leaks/people.parquet", source_conn_id="leaks_storage", project=PROJECT
        ),
        transform("database_is_away", source="table:people", source_conn_id="leaks_database", project=PROJECT),
    ]

    @task.cape_transform(policy_file=POLICY, key_file=KEYS, target="{{ params.folder }}/out/function.parquet")
    def function_fails(folder: str) -> None:
        """Fail as a library would: with a value in the message."""
        import pyarrow.parquet as pq

        raise ValueError(f"cannot convert {pq.read_table(f'{folder}/people.parquet').to_pylist()[0]}")

    waits = CapePolicyApprovalSensor(
        task_id="waits", project="{{ params.undecided }}", timeout=3600, priority_weight=99
    )
    # The last, as it takes its slot until it is killed.
    [*early, function_fails(folder="{{ params.folder }}")] >> transform(
        "killed", project=PROJECT, cape_conn_id="leaks_slow", trigger_rule="all_done"
    )
