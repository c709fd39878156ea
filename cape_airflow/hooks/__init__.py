"""Hooks: the way from an Airflow task to a coordinator."""
