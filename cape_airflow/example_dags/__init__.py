"""Example DAGs: each is run by a test."""
