"""Readiness probes against servers that are down, silent, busy starting, or wrong."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from whaletrader.stack.errors import StackError
from whaletrader.stack.ports import LOOPBACK, free_port, is_free
from whaletrader.stack.probes import HttpReady, KafkaReady, NatsReady, PostgresReady, ValkeyReady
from whaletrader.stack.spec import Probe

KAFKA_OK = struct.pack("!iih", 6, 7, 0)
KAFKA_OTHER_ANSWER = struct.pack("!iih", 6, 8, 0)
KAFKA_ERROR = struct.pack("!iih", 6, 7, 35)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that answers one connection with `answer` and closes it."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()

        def serve() -> None:
            link, _ = server.accept()
            with link:
                if not answer.startswith(b"INFO"):
                    link.recv(4096)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("make", "answer", "is_ready"),
    [
        (HttpReady, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (HttpReady, b"HTTP/1.1 503 Starting\r\nContent-Length: 0\r\n\r\n", False),
        (HttpReady, b"what?\r\n", False),
        (HttpReady, b"", False),
        (PostgresReady, b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0", True),
        (PostgresReady, b"E\0\0\0\x20SFATAL\0C57P03\0", False),
        (PostgresReady, b"", False),
        (NatsReady, b'INFO {"server_id":"x"}\r\n', True),
        (NatsReady, b"INFORMATION", False),
        (ValkeyReady, b"+PONG\r\n", True),
        (ValkeyReady, b"-NOAUTH Authentication required.\r\n", True),
        (ValkeyReady, b"-LOADING the dataset\r\n", False),
        (KafkaReady, KAFKA_OK, True),
        (KafkaReady, KAFKA_OTHER_ANSWER, False),
        (KafkaReady, KAFKA_ERROR, False),
        (KafkaReady, b"\0\0", False),
    ],
)
def test_only_the_right_answer_is_readiness(
    make: Callable[[int], Probe], answer: bytes, is_ready: bool
) -> None:
    with answering(answer) as port:
        assert make(port)() is is_ready


@pytest.mark.parametrize("make", [HttpReady, PostgresReady, NatsReady, ValkeyReady, KafkaReady])
def test_a_server_that_is_down_is_not_ready(make: Callable[[int], Probe]) -> None:
    assert make(free_port())() is False


def test_a_server_that_accepts_and_says_nothing_is_not_ready() -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        assert ValkeyReady(server.getsockname()[1])() is False


def test_a_free_port_can_be_bound_and_lies_below_the_ports_of_outgoing_connections() -> None:
    port = free_port()
    assert is_free(port)
    assert 15_000 <= port < 32_768
    with socket.socket() as server:
        server.bind((LOOPBACK, port))
        server.listen()
        assert not is_free(port)


def test_ports_that_were_promised_to_others_are_not_given_again() -> None:
    with pytest.raises(StackError, match="no free port found"):
        free_port(range(1, 65_536))
