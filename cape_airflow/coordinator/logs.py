"""What the coordinator writes to its log: one line per request, and what goes wrong.

A line about a request names the template of its route, never its address: labels, digests and what a query asks for
stay out of it, and so do headers and bodies.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.types import Scope

from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.settings import Settings

log = logging.getLogger(__name__)

_FIELDS = "request"
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})  # others are the client's words


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger; then a message, or the fields of a request; a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
        } | getattr(record, _FIELDS, {"message": record.getMessage()})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(settings: Settings) -> None:
    """Have this process write its log to standard error, as the settings say.

    Only a coordinator that runs alone does so: one that is mounted logs as its host does. Libraries write warnings at
    least; what they say about their work may hold addresses with secrets in them.
    """
    handler = logging.StreamHandler(sys.stderr)
    lines = settings.log_format == "json"
    handler.setFormatter(JsonLines() if lines else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("cape_airflow", "uvicorn"):
        logging.getLogger(name).setLevel(settings.log_level.upper())


def log_request(scope: Scope, status: int, began: float) -> None:
    """Write the line of a request that was answered.

    Args:
        scope: of the request; its state has the request id, and the user's id where he is known.
        status: of the answer.
        began: when it came, by `time.perf_counter`.
    """
    state: Mapping[str, Any] = scope["state"]
    fields = {
        "request_id": state["request_id"],
        "method": scope["method"] if scope["method"] in _METHODS else None,
        "route": getattr(scope.get("route"), "path", None),
        "status": status,
        "ms": round((time.perf_counter() - began) * 1000, 1),
        "user_id": state.get("user_id"),
    }
    words = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    log.info("%s", words, extra={_FIELDS: fields})
