"""OpenIGTLink messages as bytes: making them, and finding them again in whatever pieces a socket delivers.

Source: the protocol documents of the OpenIGTLink library (Documents/Protocol) and its igtlMessageBase.cxx.
A message is a header of 58 bytes (big endian: version, type, device name, time stamp as 32.32 fixed point, body size,
CRC-64 of ECMA-182 over the body) and a body. With header version 2 the body is an extended header, the content, and
metadata (key and value strings). The CRC has no value that means "none": 0 is right only where it is the checksum.

What a bad message costs:
- checksum wrong, body that cannot be decoded, matrix with NaN: that message. It is counted, the first of each kind is
  logged, and reading goes on behind it.
- bytes that are no header, or a body larger than LARGEST_BODY_BYTES: the connection. There is no mark in the stream by
  which to find the next header, so `MessageReader.broken` says why and the owner closes.
- a type that is not wanted: nothing. Its body is passed over without being kept, and counted.
"""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyigtl.messages import CRC64, ImageMessage, MessageBase, StringMessage, TransformMessage

from ..errors import UserError
from ..geometry.transforms import Matrix

HEADER = struct.Struct("> H 12s 20s Q Q Q")
HEADER_VERSIONS = (1, 2)
LARGEST_BODY_BYTES = 1 << 30
DEVICE_NAME_BYTES = 20
DECODED = ("TRANSFORM", "IMAGE", "STRING")

BAD_CHECKSUM = "wrong checksum"
UNDECODABLE = "body that cannot be decoded"
NOT_FINITE = "matrix that is not finite"

_log = logging.getLogger(__name__)


class StreamBrokenError(Exception):
    """The bytes of a connection are no OpenIGTLink messages; the reason in words."""


def require_port(port: int) -> None:
    """Raise UserError for a number that is no port; the socket library takes some of them modulo 65536."""
    if not 0 <= port <= 65535:
        raise UserError(
            f"{port} is no port number.", "Ports go from 1 to 65535; 18944 is that of OpenIGTLink."
        )


@dataclass(frozen=True)
class Header:
    """The fields of a message header. `timestamp_s` counts from 1970."""

    version: int
    message_type: str
    device_name: str
    timestamp_s: float
    body_size: int
    crc: int

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read 58 bytes. Raises StreamBrokenError where they cannot be a header."""
        version, type_field, device_field, stamp, body_size, crc = HEADER.unpack(data)
        type_bytes = type_field.split(b"\0")[0].rstrip(b" ")
        if (
            version not in HEADER_VERSIONS
            or not type_bytes
            or not all(33 <= byte < 127 for byte in type_bytes)
        ):
            raise StreamBrokenError("received bytes that are no OpenIGTLink header")
        message_type = type_bytes.decode("ascii")
        if body_size > LARGEST_BODY_BYTES:
            raise StreamBrokenError(
                f"received a {message_type} of {body_size} bytes (at most {LARGEST_BODY_BYTES} are read)"
            )
        device_name = device_field.split(b"\0")[0].decode("utf-8", "replace").rstrip()
        # Seconds and fraction apart: one division of the 64-bit number would round the seconds of today.
        return cls(
            version, message_type, device_name, (stamp >> 32) + (stamp & 0xFFFFFFFF) / 2**32, body_size, crc
        )


class MessageReader:
    """Turns the bytes of one connection into messages.

    wanted     the types to decode, among DECODED; all others are passed over.
    problems   kind of bad message → how many (BAD_CHECKSUM, UNDECODABLE, NOT_FINITE).
    skipped    type → how many were passed over.
    version    the highest header version seen, 0 before the first message.
    broken     why nothing more can be read, empty while all is well.
    """

    def __init__(self, wanted: Collection[str] = DECODED) -> None:
        self.problems: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.version = 0
        self.broken = ""
        self._wanted = frozenset(wanted) & frozenset(DECODED)
        self._buffer = bytearray()
        self._header: Header | None = None
        self._to_skip = 0

    @property
    def inside_message(self) -> bool:
        """Whether the bytes so far end in the middle of a message."""
        return bool(self._buffer) or self._header is not None or self._to_skip > 0

    def feed(self, data: bytes) -> list[MessageBase]:
        """The messages that are complete with `data`, in order."""
        messages: list[MessageBase] = []
        if self.broken:
            return messages
        self._buffer += data
        try:
            while self._pass_over() and (header := self._next_header()) is not None:
                if header.message_type not in self._wanted:
                    self.skipped[header.message_type] += 1
                    self._to_skip, self._header = header.body_size, None
                elif len(self._buffer) >= header.body_size:
                    messages += self._decoded(header, self._cut(header.body_size))
                    self._header = None
                else:
                    break
        except StreamBrokenError as error:
            self.broken = str(error)
        return messages

    def _pass_over(self) -> bool:
        """Drop what has come of an unwanted body; whether all of it has come."""
        passed = min(self._to_skip, len(self._buffer))
        del self._buffer[:passed]
        self._to_skip -= passed
        return self._to_skip == 0

    def _next_header(self) -> Header | None:
        if self._header is None and len(self._buffer) >= HEADER.size:
            self._header = Header.parse(self._cut(HEADER.size))
            self.version = max(self.version, self._header.version)
        return self._header

    def _cut(self, count: int) -> bytes:
        piece = bytes(self._buffer[:count])
        del self._buffer[:count]
        return piece

    def _decoded(self, header: Header, body: bytes) -> list[MessageBase]:
        """The message, or nothing and one more problem."""
        if CRC64(body) != header.crc:
            return self._refuse(header, BAD_CHECKSUM)
        message = MessageBase.create_message(header.message_type)
        fields = {
            "header_version": header.version,
            "message_type": header.message_type,
            "device_name": header.device_name,
            "timestamp": header.timestamp_s,
        }
        try:
            message.unpack(fields, body)
        except (
            Exception
        ):  # pyigtl raises whatever the bytes lead it to: struct.error, TypeError, ValueError, …
            return self._refuse(header, UNDECODABLE)
        matrix = getattr(message, "matrix", getattr(message, "ijk_to_world_matrix", None))
        if matrix is not None and not np.isfinite(matrix).all():
            return self._refuse(header, NOT_FINITE)
        # PLUS sends a name that does not fit the header in full as metadata.
        message.device_name = message.metadata.get("IGTL_DEVICE_NAME", header.device_name)
        return [message]

    def _refuse(self, header: Header, problem: str) -> list[MessageBase]:
        if not self.problems[problem]:
            _log.warning(
                "%s '%s' ignored: %s. Further ones are counted, not told.",
                header.message_type,
                header.device_name,
                problem,
            )
        self.problems[problem] += 1
        return []


class StatusMessage(MessageBase):  # type: ignore[misc]  # pyigtl has no types, and no STATUS
    """STATUS with code 1 (OK) and no text."""

    def __init__(self, device_name: str = "") -> None:
        super().__init__(timestamp=0.0, device_name=device_name)
        self._message_type = "STATUS"
        self._valid_message = True

    def _pack_content(self) -> bytes:
        return struct.pack("> H q 20s B", 1, 0, b"OK", 0)


def transform_message(name: str, matrix: Matrix, timestamp_s: float, status: str = "OK") -> TransformMessage:
    """A TRANSFORM as PLUS sends it: named `AToB`, (4, 4) float32, validity in the metadata."""
    message = TransformMessage(matrix, timestamp=timestamp_s, device_name=name)
    message.metadata = {"TransformValid": str(int(status == "OK")), "TransformStatus": status}
    if len(name.encode()) > DEVICE_NAME_BYTES:
        message.metadata["IGTL_DEVICE_NAME"] = name
    return message


def image_message(
    name: str,
    image: NDArray[np.uint8],
    image_to_world: Matrix,
    timestamp_s: float,
    metadata: Mapping[str, str] | None = None,
) -> ImageMessage:
    """An IMAGE of one slice: `image` (H, W) uint8, `image_to_world` (4, 4) from its pixels to millimetres.

    The axes are flagged RAS, as PLUS does whatever the frame is called; they are those of the frame, unflipped.
    """
    # pyigtl takes the columns of a two-dimensional array for slices, so the one slice is said.
    message = ImageMessage(
        np.ascontiguousarray(image)[np.newaxis],
        ijk_to_world_matrix=image_to_world,
        world_coordinate_system="ras",
        timestamp=timestamp_s,
        device_name=name,
    )
    message.metadata = dict(metadata or {})
    return message


def string_message(name: str, text: str, timestamp_s: float) -> StringMessage:
    """A STRING, ASCII."""
    return StringMessage(_ascii(text), timestamp=timestamp_s, device_name=name)


def pack(message: MessageBase, header_version: int) -> bytes:
    """The bytes of a message; header version 1 has no metadata."""
    metadata = message.metadata
    message.header_version = header_version
    message.metadata = (
        {_ascii(key): _ascii(value) for key, value in metadata.items()} if header_version > 1 else {}
    )
    try:
        return bytes(message.pack())
    finally:
        message.metadata = metadata


def transform_status(message: MessageBase) -> str:
    """The tracker's status of a TRANSFORM; "OK" where the message carries none, as PLUS takes it."""
    return str(message.metadata.get("TransformStatus", "OK"))


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")
