"""A server that receives mail."""

from __future__ import annotations

import json
from email import message_from_string
from socketserver import StreamRequestHandler, ThreadingTCPServer


class _Session(StreamRequestHandler):
    """As much of SMTP (RFC 5321) as it takes to receive a mail."""

    server: Mailbox

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline():
            verb = line.split()[0].upper() if line.strip() else b""
            if verb == b"DATA":
                self._say("354 go on")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            self._say("221 bye" if verb == b"QUIT" else "250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Mailbox(ThreadingTCPServer):
    """Receives mail on a port of its own.

    Attributes:
        mails: as they came.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[str] = []

    def connection(self) -> dict[str, object]:
        """Return the fields of Airflow's connection to it."""
        extra = {"disable_ssl": True, "disable_tls": True, "timeout": 10}
        return {"conn_type": "smtp", "host": "127.0.0.1", "port": self.server_address[1], "extra": json.dumps(extra)}

    @staticmethod
    def text_of(mail: str) -> str:
        """Return what a mail says."""
        parts = [part.get_payload(decode=True) for part in message_from_string(mail).walk() if not part.is_multipart()]
        return "".join(part.decode() for part in parts if isinstance(part, bytes))
