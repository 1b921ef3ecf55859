"""A server that sends to many clients and is held up by none.

One daemon thread owns the sockets. `send` packs a message once and queues it for every client; a client that does not
read as fast as it is sent to loses its oldest queued messages, counted, and the others notice nothing. What clients
send is read for its header version alone, as PlusServer does: a client gets header version 1, without metadata,
until it has sent a message of header version 2 (Slicer does so when it connects).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyigtl.messages import MessageBase

from ..errors import UserError
from .wire import MessageReader, pack, require_port

QUEUE_MESSAGES = 600
QUEUE_BYTES = 64 << 20
_RECEIVE_BYTES = 1 << 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerCounts:
    """Clients now and ever; messages handed to `send`; over all clients, messages sent and dropped for being slow."""

    clients: int
    clients_ever: int
    messages: int
    sent: int
    dropped: int


@dataclass(eq=False)
class _Peer:
    """One client. `queue` holds whole messages; `sending` is the rest of the one that is on its way."""

    connection: socket.socket
    name: str
    header_version: int
    reader: MessageReader = field(default_factory=lambda: MessageReader(wanted=()))
    queue: deque[bytes] = field(default_factory=deque)
    queued_bytes: int = 0
    sending: memoryview = field(default_factory=lambda: memoryview(b""))

    def put(self, data: bytes) -> int:
        """Queue a message; returns how many old ones were dropped for it."""
        self.queue.append(data)
        self.queued_bytes += len(data)
        dropped = 0
        while len(self.queue) > QUEUE_MESSAGES or (self.queued_bytes > QUEUE_BYTES and len(self.queue) > 1):
            self.queued_bytes -= len(self.queue.popleft())
            dropped += 1
        return dropped

    def take_next(self) -> None:
        """Put the oldest queued message on its way."""
        self.sending = memoryview(self.queue.popleft())
        self.queued_bytes -= len(self.sending)

    @property
    def idle(self) -> bool:
        return not self.queue and not self.sending


class LinkServer:
    """Listens on `host`:`port` (0 = any free port, see `.port`) until `stop()`.

    header_version   the version that a client gets before it has shown its own (PLUS: ClientHeaderVersion).
    Raises UserError where the port cannot be had.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", header_version: int = 1) -> None:
        self.host, self._header_version = host, header_version
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._peers: list[_Peer] = []
        self._clients_ever = self._messages = self._sent = self._dropped = 0
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for one in (self._listener, self._woken):
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ)
        self._wake.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"link server {self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> LinkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def counts(self) -> ServerCounts:
        with self._changed:
            return ServerCounts(
                len(self._peers), self._clients_ever, self._messages, self._sent, self._dropped
            )

    def wait_for_client(self, timeout_s: float | None = None) -> bool:
        """Wait until a client is connected; whether one is."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._peers), timeout_s)

    def send(self, messages: Sequence[MessageBase]) -> None:
        """Queue the messages for every client that is connected. Never waits for a client."""
        with self._changed:
            self._messages += len(messages)
            listening = [(peer, peer.header_version) for peer in self._peers]
        # Packing is the costly part (the checksum of an image), so it is done once a version, outside the lock.
        packed = {
            version: [pack(message, version) for message in messages]
            for version in {version for _, version in listening}
        }
        with self._changed:
            for peer, version in listening:
                self._dropped += sum(peer.put(data) for data in packed[version])
        self._wake_up()

    def drain(self, timeout_s: float) -> bool:
        """Wait until every client has been sent what is queued; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: all(peer.idle for peer in self._peers), timeout_s)

    def stop(self) -> None:
        """Close all connections and end the thread. What is still queued is not sent (see `drain`)."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._wake_up()
            self._thread.join()

    def _wake_up(self) -> None:
        # Blocking means that it is full of wake-ups already; closed means that there is nobody to wake.
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                for key, events in self._selector.select():
                    if key.fileobj is self._listener:
                        self._welcome()
                    elif key.fileobj is self._woken:
                        self._woken.recv(4096)
                    elif events & selectors.EVENT_READ:
                        self._hear(key.data)
                for peer in list(self._peers):
                    self._send_to(peer)
        finally:
            for peer in list(self._peers):
                self._let_go(peer, "the server stopped")
            self._selector.close()
            for one in (self._listener, self._wake, self._woken):
                one.close()

    def _welcome(self) -> None:
        try:
            connection, address = self._listener.accept()
        except OSError as error:  # gone again before it was accepted, or no more files can be open
            _log.warning("A client could not be accepted: %s.", error)
            self._stopping.wait(0.05)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = _Peer(connection, f"{address[0]}:{address[1]}", self._header_version)
        self._selector.register(connection, selectors.EVENT_READ, peer)
        _log.info("Client %s connected.", peer.name)
        with self._changed:
            self._peers.append(peer)
            self._clients_ever += 1
            self._changed.notify_all()

    def _hear(self, peer: _Peer) -> None:
        try:
            data = peer.connection.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._let_go(peer, error.strerror or str(error))
            return
        peer.reader.feed(data)
        if not data:
            self._let_go(peer, "the client closed the connection")
        elif peer.reader.broken:
            self._let_go(peer, peer.reader.broken)
        peer.header_version = max(peer.header_version, peer.reader.version)

    def _send_to(self, peer: _Peer) -> None:
        """Send what the client takes without waiting, and ask to be told when it takes more."""
        try:
            while piece := self._next_piece(peer):
                peer.sending = piece[peer.connection.send(piece) :]
            interest = selectors.EVENT_READ
        except BlockingIOError:
            interest = selectors.EVENT_READ | selectors.EVENT_WRITE
        except OSError as error:
            self._let_go(peer, error.strerror or str(error))
            return
        if self._selector.get_key(peer.connection).events != interest:
            self._selector.modify(peer.connection, interest, peer)

    def _next_piece(self, peer: _Peer) -> memoryview:
        with self._changed:
            if not peer.sending and peer.queue:
                peer.take_next()
                self._sent += 1
            elif peer.idle:
                self._changed.notify_all()
            return peer.sending

    def _let_go(self, peer: _Peer, why: str) -> None:
        _log.log(
            logging.WARNING if peer.reader.broken else logging.INFO, "Client %s gone: %s.", peer.name, why
        )
        self._selector.unregister(peer.connection)
        peer.connection.close()
        with self._changed:
            self._peers.remove(peer)
            self._changed.notify_all()


def _listen(host: str, port: int) -> socket.socket:
    require_port(port)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # A name of more than 63 letters without a dot has no code.
        raise UserError(
            f"{host} is no address to listen at ({getattr(error, 'strerror', None) or error}).",
            "Give a name or an address of this computer.",
        ) from error
    try:
        if os.name == "posix":  # On Windows the option would let two servers share the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise UserError(
            f"Port {port} on {host} " + ("is in use." if taken else f"cannot be had: {error.strerror}."),
            "Choose another --port, or 0 for any that is free.",
        ) from error
    return listener
