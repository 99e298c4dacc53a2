"""Readiness, asked in each server's own protocol with nothing but sockets.

An open port is not readiness: PostgreSQL accepts connections while it recovers, a JVM binds before
it serves. Each probe answers within PROBE_SECONDS_MAX and never raises for a server that is down.
"""

from __future__ import annotations

import http.client
import socket
import struct
from dataclasses import dataclass

from whaletrader.stack.ports import LOOPBACK

PROBE_SECONDS_MAX = 1.0
_ANSWER_BYTES_MAX = 4096


@dataclass(frozen=True)
class HttpReady:
    """Ready when a GET answers with a status below 300."""

    port: int
    path: str = "/readyz"

    def __call__(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PROBE_SECONDS_MAX)
        try:
            connection.request("GET", self.path)
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True)
class PostgresReady:
    """Ready when a start-up message is answered by a request to authenticate, not by an error."""

    port: int

    def __call__(self) -> bool:
        body = struct.pack("!i", 3 << 16) + b"user\0probe\0database\0postgres\0\0"
        return _ask(self.port, struct.pack("!i", len(body) + 4) + body).startswith(b"R")


@dataclass(frozen=True)
class NatsReady:
    """Ready when the server greets with its INFO line."""

    port: int

    def __call__(self) -> bool:
        return _ask(self.port, b"").startswith(b"INFO ")


@dataclass(frozen=True)
class ValkeyReady:
    """Ready when PING is answered, even by a demand for the password; not while loading."""

    port: int

    def __call__(self) -> bool:
        return _ask(self.port, b"PING\r\n").startswith((b"+PONG", b"-NOAUTH"))


@dataclass(frozen=True)
class KafkaReady:
    """Ready when ApiVersions (key 18, version 0) is answered: the broker handles requests."""

    port: int

    def __call__(self) -> bool:
        correlation = 7
        body = struct.pack("!hhih", 18, 0, correlation, -1)
        answer = _ask(self.port, struct.pack("!i", len(body)) + body)
        if len(answer) < 10:
            return False
        _, echoed, error = struct.unpack("!iih", answer[:10])
        return bool(echoed == correlation and error == 0)


def _ask(port: int, question: bytes) -> bytes:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=PROBE_SECONDS_MAX) as link:
            if question:
                link.sendall(question)
            return link.recv(_ANSWER_BYTES_MAX)
    except OSError:
        return b""
