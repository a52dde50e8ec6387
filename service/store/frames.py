"""What a worker and the recorder process send each other: a length, then MessagePack."""

from __future__ import annotations

import socket
import struct
from typing import TypeVar

import msgspec

from service.store.records import DecisionRecord, Record

_LENGTH = struct.Struct(">I")
_LONGEST = 256 * 1024 * 1024
_ENCODER = msgspec.msgpack.Encoder()

T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True):
    """What became of a group: of each record the earlier decision that stays, or None.

    ``fault`` says why nothing was written.
    """

    earlier: list[DecisionRecord | None] = []
    fault: str | None = None


GROUP = msgspec.msgpack.Decoder(list[Record])
REPLY = msgspec.msgpack.Decoder(Reply)


def frame(message: object) -> bytes:
    """A message as it is sent."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


def receive(connection: socket.socket, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """The next message; None if the other side has closed the connection.

    Raises
    ------
    OSError
        If the connection breaks within a message, or it is none.
    """
    head = _exactly(connection, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LONGEST:
        raise OSError(f"a message of {length} bytes is too long")
    body = _exactly(connection, length)
    if len(body) < length:
        raise ConnectionError("the connection was closed within a message")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise OSError(f"a message cannot be read: {error}") from None


def _exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes; none at the end; fewer never."""
    data = bytearray(count)
    view = memoryview(data)
    got = 0
    while got < count:
        some = connection.recv_into(view[got:])
        if not some:
            if got:
                raise ConnectionError("the connection was closed within a message")
            return b""
        got += some
    return bytes(data)
