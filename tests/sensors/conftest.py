from tests.airflow.coordinator import connected, own_outbox, people, project

__all__ = ["connected", "own_outbox", "people", "project"]
