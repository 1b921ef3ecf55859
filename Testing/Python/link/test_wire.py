"""Messages against bytes that were put together by hand from the protocol document, and against pyigtl's own."""

from __future__ import annotations

import logging
import os
import struct

import numpy as np
import pyigtl
import pytest
from pyigtl.messages import CRC64

from USGanSimLib.link import wire

POSE = [[0.0, -1.0, 0.0, 10.5], [1.0, 0.0, 0.0, -20.25], [0.0, 0.0, 1.0, 30.125], [0.0, 0.0, 0.0, 1.0]]


def test_the_checksum_is_that_of_ecma_182(crc64):
    # 0x6C40DF5F0B497347 is the check value of CRC-64/ECMA-182 over "123456789" in the catalogue of CRCs.
    assert crc64(b"123456789") == 0x6C40DF5F0B497347
    assert CRC64(b"123456789") == 0x6C40DF5F0B497347


def test_a_transform_packs_to_the_bytes_of_the_document(transform_bytes):
    message = wire.transform_message("ProbeToTracker", np.array(POSE), 1234.5)
    assert wire.pack(message, header_version=1) == transform_bytes(
        "ProbeToTracker", POSE, seconds=1234, fraction=1 << 31
    )


def test_a_transform_of_the_document_is_read(transform_bytes):
    [message] = wire.MessageReader().feed(
        transform_bytes("ProbeToTracker", POSE, seconds=1700000000, fraction=1 << 30)
    )
    assert message.device_name == "ProbeToTracker"
    assert message.timestamp == 1700000000.25
    np.testing.assert_array_equal(message.matrix, POSE)
    assert wire.transform_status(message) == "OK"


def test_validity_is_metadata_after_the_content_with_header_version_2(by_hand):
    message = wire.transform_message("ProbeToTracker", np.eye(4), 0.0, status="MISSING")
    content = struct.pack(">12f", 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    index = struct.pack(">H HHI HHI", 2, 14, 3, 1, 15, 3, 7)
    words = b"TransformValid" + b"0" + b"TransformStatus" + b"MISSING"
    body = struct.pack(">HHII", 12, len(index), len(words), 0) + content + index + words
    assert wire.pack(message, header_version=2) == by_hand("TRANSFORM", "ProbeToTracker", body, version=2)
    [read] = wire.MessageReader().feed(by_hand("TRANSFORM", "ProbeToTracker", body, version=2))
    assert wire.transform_status(read) == "MISSING"
    assert read.metadata["TransformValid"] == "0"


def test_an_image_packs_to_the_bytes_of_the_document(by_hand):
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)  # 3 wide, 2 high
    image_to_world = np.array([[0.5, 0, 0, 10], [0, 0.25, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
    centre = (10 + 0.5 * 1.0, 20 + 0.25 * 0.5, 30.0)
    body = struct.pack(">H 4B 3H", 1, 1, 3, 2, 1, 3, 2, 1)  # version; scalar, uint8, little endian, RAS; size
    body += struct.pack(">12f", 0.5, 0, 0, 0, 0.25, 0, 0, 0, 1, *centre) + struct.pack(
        ">6H", 0, 0, 0, 3, 2, 1
    )
    body += bytes(range(6))
    message = wire.image_message("Image_Reference", image, image_to_world, 0.0)
    assert wire.pack(message, header_version=1) == by_hand("IMAGE", "Image_Reference", body)
    [read] = wire.MessageReader().feed(by_hand("IMAGE", "Image_Reference", body))
    np.testing.assert_array_equal(read.image[0], image)
    np.testing.assert_allclose(read.ijk_to_world_matrix, image_to_world, atol=1e-6)


def test_a_time_stamp_of_today_survives_to_a_microsecond():
    stamp_s = 1_753_000_123.456789
    [message] = wire.MessageReader().feed(wire.pack(wire.transform_message("AToB", np.eye(4), stamp_s), 2))
    assert abs(message.timestamp - stamp_s) < 1e-6


def test_a_name_longer_than_the_field_travels_in_the_metadata():
    name = "PhantomReferenceToStepperHome"
    packed = wire.pack(wire.transform_message(name, np.eye(4), 0.0), header_version=2)
    assert packed[14:34] == b"PhantomReferenceToSt"
    [message] = wire.MessageReader().feed(packed)
    assert message.device_name == name


def test_text_that_is_not_ascii_is_sent_with_question_marks():
    message = wire.image_message(
        "Image_Reference", np.zeros((1, 1), np.uint8), np.eye(4), 0.0, {"Operator": "Zoë"}
    )
    [read] = wire.MessageReader().feed(wire.pack(message, 2))
    assert read.metadata["Operator"] == "Zo?"
    assert message.metadata["Operator"] == "Zoë"


def test_bytes_in_any_pieces_give_the_same_messages(transform_bytes):
    stream = b"".join(transform_bytes(f"D{i}", POSE, seconds=i) for i in range(5))
    for size in (1, 7, 57, 58, 59, 1000):
        reader = wire.MessageReader()
        messages = [
            message for at in range(0, len(stream), size) for message in reader.feed(stream[at : at + size])
        ]
        assert [message.timestamp for message in messages] == [0, 1, 2, 3, 4]
        assert not reader.inside_message


def test_half_a_header_and_half_a_body_are_known_to_be_in_the_middle(transform_bytes):
    for length in (1, 57, 58, 60):
        reader = wire.MessageReader()
        assert reader.feed(transform_bytes("A", POSE)[:length]) == []
        assert reader.inside_message


@pytest.mark.parametrize("wrong", ["crc", "zero crc", "short body", "nan", "encoding"])
def test_a_bad_message_costs_itself_and_is_counted_and_told_once(wrong, by_hand, transform_bytes, caplog):
    nan_pose = [[float("nan"), *POSE[0][1:]], *POSE[1:]]
    bad, kind = {
        "crc": (transform_bytes("A", POSE, crc=1), wire.BAD_CHECKSUM),
        "zero crc": (transform_bytes("A", POSE, crc=0), wire.BAD_CHECKSUM),
        "short body": (by_hand("TRANSFORM", "A", b"1234"), wire.UNDECODABLE),
        "nan": (transform_bytes("A", nan_pose), wire.NOT_FINITE),
        "encoding": (by_hand("STRING", "A", struct.pack(">HH", 9999, 2) + b"ab"), wire.UNDECODABLE),
    }[wrong]
    reader = wire.MessageReader()
    with caplog.at_level(logging.WARNING):
        messages = reader.feed(bad + transform_bytes("B", POSE) + bad + bad + transform_bytes("C", POSE))
    assert [message.device_name for message in messages] == ["B", "C"]
    assert reader.problems == {kind: 3}
    assert len(caplog.records) == 1
    assert not reader.broken


def test_an_image_with_a_nan_matrix_or_missing_pixels_is_refused():
    image = wire.image_message("I", np.zeros((4, 4), np.uint8), np.full((4, 4), np.nan), 0.0)
    reader = wire.MessageReader()
    assert reader.feed(wire.pack(image, 1)) == []
    short = bytearray(wire.pack(wire.image_message("I", np.zeros((4, 4), np.uint8), np.eye(4), 0.0), 1))[:-3]
    short[42:50] = struct.pack(">Q", len(short) - 58)
    short[50:58] = struct.pack(">Q", CRC64(bytes(short[58:])))
    assert reader.feed(bytes(short)) == []
    assert reader.problems == {wire.NOT_FINITE: 1, wire.UNDECODABLE: 1}


def test_unwanted_types_are_passed_over_by_their_size_without_being_kept(by_hand, transform_bytes):
    reader = wire.MessageReader()
    stream = by_hand("TDATA", "Tools", bytes(5000)) + by_hand("STATUS", "", b"") + transform_bytes("A", POSE)
    assert [
        m.device_name for at in range(0, len(stream), 100) for m in reader.feed(stream[at : at + 100])
    ] == ["A"]
    assert reader.skipped == {"TDATA": 1, "STATUS": 1}
    reader.feed(by_hand("TDATA", "Tools", bytes(1000), size=100_000_000, crc=0))
    assert len(reader._buffer) == 0


def test_the_size_of_a_body_that_no_one_sends_is_refused_before_it_is_awaited(transform_bytes, by_hand):
    for size in (2**63, 2**64 - 1, wire.LARGEST_BODY_BYTES + 1):
        reader = wire.MessageReader()
        good = reader.feed(transform_bytes("A", POSE) + by_hand("IMAGE", "I", b"", size=size, crc=0))
        assert [message.device_name for message in good] == ["A"]
        assert str(size) in reader.broken
        assert reader.feed(transform_bytes("B", POSE)) == []


def test_bytes_that_are_no_header_break_the_stream_with_a_reason(transform_bytes):
    for garbage in (
        b"\0\1\x80" + os.urandom(55),
        b"GET / HTTP/1.1\r\n" + b"x" * 60,
        bytes(58),
        b"\xff" * 58,
        transform_bytes("A", POSE, version=0),
        transform_bytes("A", POSE, version=9),
    ):
        reader = wire.MessageReader()
        assert reader.feed(garbage) == []
        assert reader.broken == "received bytes that are no OpenIGTLink header"


def test_pyigtl_reads_what_we_pack_and_we_read_what_it_packs():
    ours = wire.pack(wire.transform_message("ProbeToTracker", np.array(POSE), 77.0, "OUT_OF_VIEW"), 2)
    fields = pyigtl.MessageBase.parse_header(ours[:58])
    theirs = pyigtl.MessageBase.create_message(fields["message_type"])
    theirs.unpack(fields, ours[58:])
    np.testing.assert_array_equal(theirs.matrix, POSE)
    assert theirs.metadata["TransformStatus"] == "OUT_OF_VIEW"
    [read] = wire.MessageReader().feed(pyigtl.StringMessage("hello", timestamp=5.0, device_name="S").pack())
    assert (read.string, read.device_name, read.timestamp) == ("hello", "S", 5.0)
