"""Rows to a syslog server: this machine's, or one over UDP or TCP."""

from __future__ import annotations

import logging
import socket
from logging.handlers import SysLogHandler
from typing import Annotated, Literal

from pydantic import Field

from cape_airflow.coordinator.audit.sinks.sink import HandlerSink, LoudHandler, Sink, SinkSettings


class _Handler(LoudHandler, SysLogHandler):
    append_nul = False
    ident = "cape-audit: "


class SyslogSink(SinkSettings):
    """A message a row. Over UDP what gets lost on the way is lost; over TCP each message ends with a newline.

    Args:
        host: name or address of the server; or the path of a socket, such as ``/dev/log``.
        port: of the server.
        protocol: ``udp`` or ``tcp``; does not count for a socket of this machine.
        facility: of the messages; their severity is `info`.
    """

    type: Literal["syslog"]
    host: str = "/dev/log"
    port: Annotated[int, Field(gt=0, lt=65536)] = 514
    protocol: Literal["udp", "tcp"] = "udp"
    facility: Literal["auth", "authpriv", "daemon", "local0", "local1", "local2", "local3", "user"] = "authpriv"

    def open(self) -> Sink:
        """Return the sink."""
        local, stream = self.host.startswith("/"), self.protocol == "tcp"
        handler = _Handler(
            address=self.host if local else (self.host, self.port),
            facility=SysLogHandler.facility_names[self.facility],
            socktype=None if local else socket.SOCK_STREAM if stream else socket.SOCK_DGRAM,
        )
        if stream and not local:
            handler.setFormatter(logging.Formatter("%(message)s\n"))
        return HandlerSink(handler)
