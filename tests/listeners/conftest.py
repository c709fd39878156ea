from tests.airflow.coordinator import connected, outage, people, project

__all__ = ["connected", "outage", "people", "project"]
