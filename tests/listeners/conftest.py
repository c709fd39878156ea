from tests.airflow.coordinator import connected, people, project

__all__ = ["connected", "people", "project"]
