"""What the tests of the link share: messages built by hand from the protocol document, and bounded waiting."""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pyigtl
import pytest


def crc64_by_bits(data: bytes) -> int:
    """CRC-64 of ECMA-182, bit by bit from its polynomial."""
    crc = 0
    for byte in data:
        crc ^= byte << 56
        for _ in range(8):
            crc = ((crc << 1) ^ (0x42F0E1EBA9EA3693 if crc >> 63 else 0)) & 0xFFFFFFFFFFFFFFFF
    return crc


def message_by_hand(
    message_type: str,
    device: str,
    body: bytes,
    seconds: int = 0,
    fraction: int = 0,
    version: int = 1,
    crc: int | None = None,
    size: int | None = None,
) -> bytes:
    """The 58 bytes of header.md, field by field, and the body."""
    header = (
        struct.pack(">H", version) + message_type.encode().ljust(12, b"\0") + device.encode().ljust(20, b"\0")
    )
    header += struct.pack(">II", seconds, fraction) + struct.pack(">Q", len(body) if size is None else size)
    return header + struct.pack(">Q", crc64_by_bits(body) if crc is None else crc) + body


def transform_by_hand(device: str, matrix: list[list[float]], **fields: int) -> bytes:
    """TRANSFORM of transform.md: the three columns of the rotation, then the translation, float32."""
    body = b"".join(struct.pack(">f", matrix[row][column]) for column in range(4) for row in range(3))
    return message_by_hand("TRANSFORM", device, body, **fields)


@pytest.fixture
def by_hand() -> Callable[..., bytes]:
    return message_by_hand


@pytest.fixture
def transform_bytes() -> Callable[..., bytes]:
    return transform_by_hand


@pytest.fixture
def crc64() -> Callable[[bytes], int]:
    return crc64_by_bits


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], bool]:
    """Wait for a condition, three seconds at most; whether it came."""

    def wait(condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.005)
        return False

    return wait


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A plain socket that listens on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(3.0)
        yield server


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every test of the link ends with the threads it began with."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + 2.0
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before


@pytest.fixture
def pyigtl_server() -> Iterator[tuple[pyigtl.OpenIGTLinkServer, int]]:
    """pyigtl's own server and its port; its helper threads end with the test."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    server = pyigtl.OpenIGTLinkServer(port, start_now=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server, port
    server.stop()
    thread.join()
    for number, handler in handlers.items():
        signal.signal(number, handler)
