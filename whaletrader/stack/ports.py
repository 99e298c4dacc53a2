"""Free loopback ports.

They are taken from below the range the kernel hands to outgoing connections. A port from inside
it can be lost while its server is down: a client that keeps reconnecting to it may be given that
very port as its own and then talks to itself, and the server cannot bind it again.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Collection
from pathlib import Path

from whaletrader.stack.errors import StackError

LOOPBACK = "127.0.0.1"
PORT_MIN = 15_000
PORT_MAX = 32_000  # Linux hands out 32768 and up by default, macOS 49152 and up
ATTEMPTS_MAX = 200
# Ports that this process has given out or keeps. Whoever a port is for binds it later, and until
# then it looks free: an agent was once given the port of a server that was about to start.
_promised: set[int] = set()
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(taken: Collection[int] = ()) -> int:
    """Return a loopback port that nothing listened on a moment ago and that is not in `taken`.

    No port is returned twice, nor one that was `promise`d.
    """
    low, high = PORT_MIN, _port_limit()
    for _ in range(ATTEMPTS_MAX):
        port = low + secrets.randbelow(high - low)
        if port not in taken and port not in _promised and is_free(port):
            promise(port)
            return port
    raise StackError(f"no free port found on {LOOPBACK} in {ATTEMPTS_MAX} attempts")


def promise(port: int) -> None:
    """Note that a port is somebody's, whether he has bound it yet or not."""
    _promised.add(port)


def is_free(port: int) -> bool:
    """Say whether a server could bind this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that connections left in TIME_WAIT do not make a port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _port_limit() -> int:
    try:
        first_ephemeral = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return PORT_MAX
    # A machine that hands out almost everything leaves no quiet range: then any port must do.
    return min(PORT_MAX, first_ephemeral) if first_ephemeral > PORT_MIN + 1_000 else PORT_MAX
