"""The audit log: what happened, written by the server in the transaction of the effect; never by a client."""

from __future__ import annotations

from cape_airflow.coordinator.audit.events import Event

__all__ = ["Event"]
