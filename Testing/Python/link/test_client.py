"""The client against plain sockets, our server and pyigtl's server."""

from __future__ import annotations

import os
import socket
import time

import numpy as np
import pyigtl

from USGanSimLib.link import wire
from USGanSimLib.link.client import LinkClient
from USGanSimLib.link.server import LinkServer

EYE = np.eye(4).tolist()


def names(received):
    return [one.message.device_name for one in received]


def test_the_newest_message_of_each_device_is_kept_and_the_others_are_counted(
    listener, transform_bytes, until
):
    with LinkClient(*listener.getsockname()) as client:
        connection, _ = listener.accept()
        connection.sendall(
            b"".join(transform_bytes(name, EYE, seconds=i) for i in range(5) for name in ("A", "B"))
        )
        assert until(lambda: sum(client.counts.received.values()) == 10)
        first, second = client.messages()
        assert (first.message.timestamp, first.superseded, second.superseded) == (4.0, 4, 4)
        assert client.messages() == []
        connection.sendall(transform_bytes("A", EYE, seconds=9))
        assert client.wait(3.0)
        counts = client.counts
        assert counts.received[("TRANSFORM", "A")] == 6
        assert counts.superseded[("TRANSFORM", "A")] == 4
        assert counts.taken[("TRANSFORM", "A")] == 1  # and one waits
        connection.close()


def test_every_message_reaches_the_callback_in_order_with_its_time_of_arrival(
    listener, transform_bytes, until
):
    heard = []
    before_s = time.perf_counter()
    with LinkClient(*listener.getsockname(), on_message=heard.append):
        connection, _ = listener.accept()
        for i in range(200):
            connection.sendall(transform_bytes("A", EYE, seconds=i))
        assert until(lambda: len(heard) == 200)
        connection.close()
    assert [one.message.timestamp for one in heard] == list(range(200))
    assert all(before_s < one.received_s < time.perf_counter() for one in heard)


def test_only_wanted_types_are_decoded(listener, transform_bytes, until):
    image = wire.pack(
        wire.image_message("Image_Reference", np.zeros((616, 820), np.uint8), np.eye(4), 0.0), 1
    )
    with LinkClient(*listener.getsockname(), wanted=("TRANSFORM",)) as client:
        connection, _ = listener.accept()
        connection.sendall(image + transform_bytes("A", EYE))
        assert until(lambda: names(client.messages()) == ["A"])
        assert client.counts.skipped == {"IMAGE": 1}
        connection.close()


def test_it_says_header_version_2_at_once_so_that_plus_sends_validity(listener):
    with LinkClient(*listener.getsockname()):
        connection, _ = listener.accept()
        connection.settimeout(3.0)
        header = wire.Header.parse(connection.recv(58, socket.MSG_WAITALL))
        assert (header.version, header.message_type) == (2, "STATUS")
        connection.close()


def test_a_closed_connection_is_noticed_at_once_said_and_made_again(listener, transform_bytes, until):
    with LinkClient(*listener.getsockname()) as client:
        first, _ = listener.accept()
        assert client.wait_connected(3.0)
        assert client.state.startswith("connected to 127.0.0.1:")
        first.close()
        assert until(lambda: client.state.startswith("lost 127.0.0.1:"))
        assert "the server closed the connection; attempt 2 in 0.25 s" in client.state
        second, _ = listener.accept()
        second.sendall(transform_bytes("A", EYE))
        assert until(lambda: names(client.messages()) == ["A"])
        assert client.counts.connections == 2
        second.close()


def test_waiting_doubles_while_nobody_answers(until):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with LinkClient("127.0.0.1", port) as client:
        assert until(lambda: "attempt 2 in 0.25 s" in client.state)
        assert "Connection refused" in client.state
        assert until(lambda: "attempt 3 in 0.5 s" in client.state)
        assert until(lambda: "attempt 4 in 1 s" in client.state)


def test_a_server_that_comes_later_is_found(until):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with LinkClient("127.0.0.1", port) as client:
        assert until(lambda: "attempt" in client.state)
        with LinkServer(port) as server:
            assert server.wait_for_client(3.0)
            server.send([wire.string_message("S", "here", 0.0)])
            assert client.wait(3.0)


def test_stop_takes_less_than_a_second_in_every_state(listener):
    idle = LinkClient(*listener.getsockname())
    assert idle.wait_connected(3.0)
    nobody = LinkClient("127.0.0.1", 1)
    unreachable = LinkClient("192.0.2.1", 18944)  # reserved for documents: no one answers
    for client in (idle, nobody, unreachable):
        begin_s = time.monotonic()
        client.stop()
        client.stop()
        assert time.monotonic() - begin_s < 1.0
        assert client.state == "stopped"


def test_garbage_costs_the_connection_and_the_next_one_serves(listener, transform_bytes, by_hand, until):
    with LinkClient(*listener.getsockname()) as client:
        for garbage in (b"\0" + os.urandom(2000), by_hand("IMAGE", "I", b"", size=2**63, crc=0)):
            connection, _ = listener.accept()
            connection.sendall(garbage)
            assert until(lambda: client.state.startswith("lost") and "received" in client.state)
            connection.close()
        connection, _ = listener.accept()
        connection.sendall(transform_bytes("A", EYE)[:30])
        connection.close()
        assert until(lambda: "in the middle of a message" in client.state)
        connection, _ = listener.accept()
        connection.sendall(transform_bytes("bad", EYE, crc=5) + transform_bytes("good", EYE))
        assert until(lambda: names(client.messages()) == ["good"])
        assert client.counts.problems == {wire.BAD_CHECKSUM: 1}
        connection.close()


def test_a_server_that_only_hangs_up_is_asked_less_and_less_often(listener, until):
    with LinkClient(*listener.getsockname()) as client:
        for wait in ("in 0.25 s", "in 0.5 s", "in 1 s"):
            connection, _ = listener.accept()
            connection.close()
            assert until(lambda wait=wait: wait in client.state)


def test_one_that_has_sent_something_is_asked_again_soon(listener, transform_bytes, until):
    with LinkClient(*listener.getsockname()) as client:
        for message, wait in (
            (b"", "in 0.25 s"),
            (b"", "in 0.5 s"),
            (transform_bytes("A", EYE), "in 0.25 s"),
        ):
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(message)
            connection.close()
            assert until(lambda wait=wait: wait in client.state)


def test_it_receives_from_a_plain_pyigtl_server(pyigtl_server, until):
    server, port = pyigtl_server
    with LinkClient("127.0.0.1", port) as client:
        assert client.wait_connected(3.0)
        time.sleep(0.1)
        matrix = np.array([[0, -1, 0, 1.5], [1, 0, 0, 2.5], [0, 0, 1, 3.5], [0, 0, 0, 1]])
        message = pyigtl.TransformMessage(matrix, timestamp=12.25, device_name="ProbeToTracker")
        message.header_version = 2
        message.metadata = {"TransformStatus": "OUT_OF_VIEW"}
        server.send_message(message, wait=False)
        server.send_message(
            pyigtl.ImageMessage(np.full((1, 3, 4), 7, np.uint8), device_name="Image"), wait=False
        )
        assert until(lambda: sum(client.counts.received.values()) == 2)
        transform, image = client.messages()
        np.testing.assert_array_equal(transform.message.matrix, matrix)
        assert (transform.message.timestamp, wire.transform_status(transform.message)) == (
            12.25,
            "OUT_OF_VIEW",
        )
        np.testing.assert_array_equal(image.message.image, np.full((1, 3, 4), 7))


def test_a_host_whose_name_cannot_be_encoded_is_said_and_tried_again(until):
    with LinkClient("a" * 64, 1) as client:
        assert until(lambda: "no connection to" in client.state and "attempt 2" in client.state)
