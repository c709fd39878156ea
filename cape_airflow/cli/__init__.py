"""``cape``: policies, projects, review, keys and jobs from a terminal. Errors are one sentence on stderr and exit 1."""

from cape_airflow.cli.root import main

__all__ = ["main"]
