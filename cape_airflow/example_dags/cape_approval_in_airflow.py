"""Ask for the approval of a suggested policy inside Airflow, then de-identify a file under exactly what was approved.

Reviewers find the question under Required Actions, and their answer is their review; they may just as well go to the
coordinator's page. Where the answer is a day late, the notifier says what waits, and where. In place of the log, it can
go through any notifier, such as `through="airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier"`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from cape_airflow.notifications.approval import CapeApprovalOverdueNotifier
from cape_airflow.operators.approval import CapeApprovalOperator
from cape_airflow.operators.transform import CapeTransformOperator

with DAG(
    dag_id="cape_approval_in_airflow",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "suggestion": Param("", type="string", description="Id of the suggestion to be decided."),
        "source": Param("/data/customers.csv", type="string", description="Path or URL of the input."),
        "target": Param("/data/deidentified.parquet", type="string", description="Path or URL of the output."),
    },
) as dag:
    approved = CapeApprovalOperator(
        task_id="approved",
        project="{{ params.project }}",
        suggestion_id="{{ params.suggestion }}",
        timeout=7 * 24 * 3600,
        remind_after=timedelta(days=1),
        on_waiting=CapeApprovalOverdueNotifier(project="{{ params.project }}", suggestion_id="{{ params.suggestion }}"),
    )
    (
        CapeTransformOperator(
            task_id="deidentify",
            project="{{ params.project }}",
            policy_digest="{{ ti.xcom_pull(task_ids='approved') }}",
            source="{{ params.source }}",
            target="{{ params.target }}",
        )
        << approved
    )
