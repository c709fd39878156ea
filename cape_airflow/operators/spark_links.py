"""From the task to the pages of its Spark application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class _ApplicationLink(BaseOperatorLink):
    """A link that the task stores as soon as it knows its application; Airflow shows what is stored."""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL that the task stored, empty where it has none."""
        return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")


class SparkUILink(_ApplicationLink):
    """The pages that the driver serves while the application runs."""

    name = "Spark UI"
    xcom_key = "cape_spark_ui"


class SparkHistoryLink(_ApplicationLink):
    """The pages of the History Server."""

    name = "Spark history"
    xcom_key = "cape_spark_history"
