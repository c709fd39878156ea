"""Alembic's revisions; `cape_airflow.coordinator.store.migrate` runs them."""
