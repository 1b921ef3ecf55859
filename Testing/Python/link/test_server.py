"""The server against plain sockets, our client and pyigtl's client."""

from __future__ import annotations

import os
import socket
import threading
import time

import numpy as np
import pyigtl
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.link import server as server_module
from USGanSimLib.link import wire
from USGanSimLib.link.client import LinkClient
from USGanSimLib.link.server import LinkServer


def transform(stamp_s, name="ProbeToTracker"):
    return wire.transform_message(name, np.eye(4), stamp_s)


def test_every_client_gets_every_message_in_order(until):
    heard = [[], [], []]
    with LinkServer(0) as server:
        clients = [LinkClient("127.0.0.1", server.port, on_message=one.append) for one in heard]
        assert until(lambda: server.counts.clients == 3)
        for i in range(100):
            server.send([transform(i), transform(i, "ReferenceToTracker")])
        assert server.drain(3.0)
        assert until(lambda: all(len(one) == 200 for one in heard))
        for client in clients:
            client.stop()
        assert until(lambda: server.counts.clients == 0)
        counts = server.counts
    for one in heard:
        assert [r.message.timestamp for r in one if r.message.device_name == "ProbeToTracker"] == list(
            range(100)
        )
    assert (counts.clients_ever, counts.messages, counts.sent, counts.dropped) == (3, 200, 600, 0)


def test_a_client_that_does_not_read_loses_the_oldest_and_holds_up_nobody(monkeypatch, until):
    monkeypatch.setattr(server_module, "QUEUE_MESSAGES", 10)
    heard = []
    image = np.zeros((500, 1000), np.uint8)
    with (
        LinkServer(0) as server,
        socket.create_connection(("127.0.0.1", server.port)) as sleeper,
        LinkClient("127.0.0.1", server.port, on_message=heard.append),
    ):
        assert until(lambda: server.counts.clients == 2)
        for i in range(60):
            server.send([wire.image_message("Image", image, np.eye(4), float(i))])
            assert until(lambda sent=i: len(heard) > sent)
        assert until(lambda: server.counts.dropped > 20)
        received = wire.MessageReader()
        stamps, end = [], time.monotonic() + 5
        sleeper.settimeout(0.3)
        while 59.0 not in stamps and time.monotonic() < end:
            stamps += [message.timestamp for message in received.feed(sleeper.recv(1 << 20))]
    assert [one.message.timestamp for one in heard] == list(range(60))
    # The sleeper wakes up to whole messages in order, the newest ten among them.
    assert stamps == sorted(stamps)
    assert stamps[-10:] == list(range(50, 60))
    assert len(stamps) == 60 - server.counts.dropped


def test_bytes_that_wait_for_a_client_are_bounded_too(monkeypatch, until):
    monkeypatch.setattr(server_module, "QUEUE_BYTES", 3_000_000)
    with LinkServer(0) as server, socket.create_connection(("127.0.0.1", server.port)):
        assert until(lambda: server.counts.clients == 1)
        for i in range(40):
            server.send([wire.image_message("Image", np.zeros((1000, 1000), np.uint8), np.eye(4), float(i))])
        assert until(lambda: server.counts.dropped > 20)
        assert server._peers[0].queued_bytes <= 3_000_000


def test_metadata_goes_to_clients_that_speak_header_version_2(until):
    with LinkServer(0) as server, socket.create_connection(("127.0.0.1", server.port)) as plain:
        assert until(lambda: server.counts.clients == 1)
        server.send([transform(1.0)])
        plain.settimeout(3.0)
        assert plain.recv(58 + 48, socket.MSG_WAITALL)[:2] == b"\0\1"
        plain.sendall(wire.pack(wire.StatusMessage(), 2))
        assert until(lambda: server._peers[0].header_version == 2)
        server.send([transform(2.0)])
        [message] = wire.MessageReader().feed(plain.recv(4096))
        assert message.metadata == {"TransformValid": "1", "TransformStatus": "OK"}
    with (
        LinkServer(0, header_version=2) as server,
        socket.create_connection(("127.0.0.1", server.port)) as plain,
    ):
        assert until(lambda: server.counts.clients == 1)
        server.send([transform(1.0)])
        assert plain.recv(4096)[:2] == b"\0\2"


def test_a_port_in_use_is_refused_with_its_number():
    with (
        LinkServer(0) as server,
        pytest.raises(UserError, match=rf"Port {server.port} on 127.0.0.1 is in use"),
    ):
        LinkServer(server.port)


def test_addresses_that_cannot_be_listened_at_are_refused():
    with pytest.raises(UserError, match="no address to listen at"):
        LinkServer(0, host="no.such.host.invalid")
    with pytest.raises(UserError, match="no address to listen at"):
        LinkServer(0, host="a" * 64)
    with pytest.raises(UserError, match="70000"):
        LinkServer(70000)
    with pytest.raises(UserError, match="cannot be had"):
        LinkServer(0, host="192.0.2.1")


def test_a_port_can_be_used_again_right_after_stop(until):
    with LinkServer(0) as first, LinkClient("127.0.0.1", first.port):
        assert until(lambda: first.counts.clients == 1)
        first.stop()
        first.stop()
        LinkServer(first.port).stop()


def test_it_runs_outside_the_main_thread_and_leaves_signals_alone():
    made = []
    thread = threading.Thread(target=lambda: made.append(LinkServer(0)))
    thread.start()
    thread.join()
    made[0].stop()


def test_it_listens_on_loopback_alone():
    with LinkServer(0) as server:
        assert server._listener.getsockname()[0] == "127.0.0.1"


def test_a_storm_of_garbage_harms_neither_the_server_nor_the_others(by_hand, transform_bytes, until):
    rng = np.random.default_rng(0)
    heard = []
    with LinkServer(0) as server, LinkClient("127.0.0.1", server.port, on_message=heard.append):
        assert until(lambda: server.counts.clients == 1)
        good = transform_bytes("A", np.eye(4).tolist())
        storm = [
            b"\0" + os.urandom(5000),
            by_hand("IMAGE", "I", b"", size=2**63, crc=0),
            good[:20],
            b"",
            transform_bytes("A", np.eye(4).tolist(), crc=3),
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
        ]
        for i in range(60):
            with socket.create_connection(("127.0.0.1", server.port)) as bad:
                bad.sendall(storm[rng.integers(len(storm))])
                server.send([transform(i)])
        assert until(lambda: server.counts.clients == 1)
        assert until(lambda: len(heard) == 60)
        with LinkClient("127.0.0.1", server.port) as late:
            assert until(lambda: server.counts.clients == 2)
            server.send([transform(99.0)])
            assert late.wait(3.0)


def test_a_garbage_client_is_hung_up_on_with_the_reason(caplog):
    with LinkServer(0) as server, socket.create_connection(("127.0.0.1", server.port)) as bad:
        bad.settimeout(3.0)
        bad.sendall(b"\xff" * 58)
        assert bad.recv(10) == b""
    assert "received bytes that are no OpenIGTLink header" in caplog.text


def test_a_plain_pyigtl_client_receives_transforms_and_images(until):
    with LinkServer(0) as server:
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", server.port)
        assert until(lambda: server.counts.clients == 1)
        matrix = np.array([[0, -1, 0, 1.5], [1, 0, 0, 2.5], [0, 0, 1, 3.5], [0, 0, 0, 1]])
        image = np.arange(12, dtype=np.uint8).reshape(3, 4)
        image_to_reference = matrix @ np.diag([0.25, 0.5, 1, 1])
        server.send(
            [
                wire.transform_message("ProbeToTracker", matrix, 12.25),
                wire.image_message("Image_Reference", image, image_to_reference, 12.25),
            ]
        )
        received = client.wait_for_message("ProbeToTracker", timeout=3)
        np.testing.assert_array_equal(received.matrix, matrix)
        assert received.timestamp == 12.25
        received = client.wait_for_message("Image_Reference", timeout=3)
        np.testing.assert_array_equal(received.image, image[np.newaxis])
        np.testing.assert_allclose(received.ijk_to_world_matrix, image_to_reference, atol=1e-6)
        assert received.world_coordinate_system == "ras"
        client.stop()
