"""A client that stays: connects, reconnects with back-off, and accounts for every message.

One daemon thread owns the socket. A message goes to `on_message` in that thread (every one, in order), and waits for
`messages()` (the newest of each device, for a timer tick). It carries `received_s`, the moment of its arrival on the
clock `time.perf_counter`, beside the sender's own time stamp, since the two clocks have nothing to do with each other.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pyigtl.messages import MessageBase

from .wire import DECODED, MessageReader, StatusMessage, pack, require_port

CONNECT_TIMEOUT_S = 3.0
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 5.0
_RECEIVE_BYTES = 1 << 18
_CONNECTING = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """A message, when it arrived (time.perf_counter), by which connection (counted from 1), and how many older ones of
    its device it replaced unread."""

    message: MessageBase
    received_s: float
    connection: int = 1
    superseded: int = 0

    @property
    def device(self) -> tuple[str, str]:
        """Type and name: PLUS gives an image and a transform names of their own, others may not."""
        return self.message.message_type, self.message.device_name


@dataclass(frozen=True)
class LinkCounts:
    """What a client has met since it was made.

    received, superseded, taken   device → messages: received = superseded + taken + at most one that waits.
    problems, skipped             kinds of bad messages, types that were passed over (see wire.MessageReader).
    connections                   how often a connection was made.
    """

    received: dict[tuple[str, str], int]
    superseded: dict[tuple[str, str], int]
    taken: dict[tuple[str, str], int]
    problems: dict[str, int]
    skipped: dict[str, int]
    connections: int


class LinkClient:
    """Receives from `host`:`port` until `stop()`. `wanted` are the message types to decode; others are skipped."""

    def __init__(
        self,
        host: str,
        port: int,
        wanted: Collection[str] = DECODED,
        on_message: Callable[[Received], None] | None = None,
    ) -> None:
        require_port(port)
        self.host, self.port = host, port
        self._wanted, self._on_message = wanted, on_message
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], Received] = {}
        self._received: Counter[tuple[str, str]] = Counter()
        self._superseded: Counter[tuple[str, str]] = Counter()
        self._taken: Counter[tuple[str, str]] = Counter()
        self._problems: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._connections = self._attempt = 0
        self._state = f"connecting to {host}:{port}"
        self._connected = False
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"link client {host}:{port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> LinkClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> str:
        """In words: "connected to …", "connecting to …", "lost …: reason; next attempt in … s", "stopped"."""
        with self._changed:
            return self._state

    @property
    def connected(self) -> bool:
        with self._changed:
            return self._connected

    def messages(self) -> list[Received]:
        """The newest message of each device that has sent since the last call, in order of arrival."""
        with self._changed:
            taken = sorted(self._waiting.values(), key=lambda one: one.received_s)
            self._waiting.clear()
            self._taken.update(one.device for one in taken)
            return taken

    def wait(self, timeout_s: float) -> bool:
        """Wait for something that `messages()` would return; whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._waiting), timeout_s)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for the connection; whether there is one."""
        with self._changed:
            return self._changed.wait_for(lambda: self._connected, timeout_s)

    @property
    def counts(self) -> LinkCounts:
        with self._changed:
            return LinkCounts(
                dict(self._received),
                dict(self._superseded),
                dict(self._taken),
                dict(self._problems),
                dict(self._skipped),
                self._connections,
            )

    def stop(self) -> None:
        """End the connection and the thread, within a second."""
        if not self._stopping.is_set():
            self._stopping.set()
            with contextlib.suppress(OSError):  # closed by the thread, which was about to end
                self._wake.send(b"\0")
            # Only a name server that does not answer can hold the thread up; it ends by itself then.
            self._thread.join(1.0)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._attempt += 1
                self._pause(*self._live_through_a_connection())
        finally:
            self._say("stopped", connected=False)
            self._wake.close()
            self._woken.close()

    def _live_through_a_connection(self) -> tuple[str, str]:
        """Connect and receive until the end; what happened, and why."""
        try:
            with self._connect() as connection:
                self._say(f"connected to {self.host}:{self.port}", connected=True)
                return "lost", self._receive_until_lost(connection)
        except (OSError, UnicodeError) as error:  # A name of more than 63 letters without a dot has no code.
            return "no connection to", getattr(error, "strerror", None) or str(error)

    def _pause(self, what: str, why: str) -> None:
        # Short after a loss, since a server that restarts is back at once, and longer with every vain attempt.
        wait_s = min(FIRST_WAIT_S * 2 ** max(self._attempt - 1, 0), LONGEST_WAIT_S)
        again = f"attempt {self._attempt + 1}"
        self._say(f"{what} {self.host}:{self.port}: {why}; {again} in {wait_s:g} s", connected=False)
        if not self._stopping.wait(wait_s):
            self._say(f"connecting to {self.host}:{self.port}, {again}", connected=False)

    @contextlib.contextmanager
    def _connect(self) -> Iterator[socket.socket]:
        """A connected, non-blocking socket, closed in the end. Raises OSError where no address answers."""
        error = OSError(f"no address for {self.host}")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            with socket.socket(family, kind, protocol) as connection:
                try:
                    self._finish_connecting(connection, address)
                except OSError as refused:
                    error = refused
                    continue
                yield connection
                return
        raise error

    def _finish_connecting(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(False)
        code = connection.connect_ex(address)
        if code in _CONNECTING:
            code = errno.ETIMEDOUT
            if self._ready(connection, selectors.EVENT_WRITE, CONNECT_TIMEOUT_S):
                code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # PlusServer sends metadata, and with it validity, only to a client that has spoken header version 2;
        # Slicer says so in the same way, by a STATUS.
        connection.send(pack(StatusMessage(), header_version=2))

    def _receive_until_lost(self, connection: socket.socket) -> str:
        """Receive until the end of the connection or of the client; the reason in words."""
        reader = MessageReader(self._wanted)
        with self._changed:
            self._connections += 1
        while self._ready(connection, selectors.EVENT_READ, None):
            try:
                data = connection.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except (ConnectionResetError, ConnectionAbortedError):
                data = b""  # closed as well, by a server that had not read what we sent
            except OSError as error:
                return error.strerror or str(error)
            if not data:
                cut = " in the middle of a message" if reader.inside_message else ""
                return f"the server closed the connection{cut}"
            self._take_in(reader, data)
            if reader.broken:
                return reader.broken
        return "stopped"

    def _ready(self, connection: socket.socket, event: int, timeout_s: float | None) -> bool:
        """Wait for the socket; False after the timeout or when the client is to stop."""
        with selectors.DefaultSelector() as selector:
            selector.register(connection, event)
            selector.register(self._woken, selectors.EVENT_READ)
            ready = selector.select(timeout_s)
        return bool(ready) and not self._stopping.is_set()

    def _take_in(self, reader: MessageReader, data: bytes) -> None:
        received_s = time.perf_counter()
        problems, skipped = reader.problems.copy(), reader.skipped.copy()
        arrived = [Received(message, received_s, self._connections) for message in reader.feed(data)]
        if reader.version:
            self._attempt = 0
        if self._on_message is not None:
            for one in arrived:
                self._on_message(one)
        with self._changed:
            self._problems.update(reader.problems - problems)
            self._skipped.update(reader.skipped - skipped)
            for one in arrived:
                self._keep(one)
            self._changed.notify_all()

    def _keep(self, one: Received) -> None:
        older = self._waiting.get(one.device)
        self._received[one.device] += 1
        if older is not None:
            self._superseded[one.device] += 1
            one = replace(one, superseded=older.superseded + 1)
        self._waiting[one.device] = one

    def _say(self, state: str, connected: bool) -> None:
        with self._changed:
            if state != self._state:
                _log.info("%s", state)
            self._state, self._connected = state, connected
            self._changed.notify_all()
