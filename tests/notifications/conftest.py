from tests.airflow.coordinator import connected, outage, own_outbox, people, project

__all__ = ["connected", "outage", "own_outbox", "people", "project"]
