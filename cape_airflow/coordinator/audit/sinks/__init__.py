"""Where the audit log goes besides the database: configuration, one module a kind.

A new kind is a module with a class below `SinkSettings`, and its name in `AnySink`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cape_airflow.coordinator.audit.sinks.file import FileSink
from cape_airflow.coordinator.audit.sinks.sink import Sink, SinkSettings
from cape_airflow.coordinator.audit.sinks.stdout import StdoutSink
from cape_airflow.coordinator.audit.sinks.syslog import SyslogSink
from cape_airflow.coordinator.audit.sinks.webhook import Webhook, WebhookSink

AnySink = Annotated[FileSink | StdoutSink | SyslogSink | WebhookSink, Field(discriminator="type")]
"""The settings of a sink of any kind; `type` says which."""

__all__ = ["AnySink", "Sink", "SinkSettings", "Webhook", "WebhookSink"]
