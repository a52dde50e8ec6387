"""The worker's end of the recorder process."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from service.store.frames import REPLY, Reply, frame, receive
from service.store.records import DecisionRecord, Kept, Record


class RecorderClient:
    """Has records written by the recorder process, which writes for all workers.

    Parameters
    ----------
    path
        of its socket.
    within_s
        how long it may take.
    """

    def __init__(self, path: Path, within_s: float) -> None:
        self._path = path
        self._within_s = within_s
        self._idle: list[socket.socket] = []

    def keep(self, records: Sequence[Record]) -> list[Kept]:
        """Write the records that are not there yet (``Store.keep``).

        Raises
        ------
        OSError
            If there is no recorder, it goes away, or it could write nothing.
        """
        message = frame(list(records))
        try:
            reply = self._ask(message)
        except TimeoutError:
            raise
        except OSError:
            # It may have been started anew since the last group; what it had written by then, it
            # finds there.
            reply = self._ask(message)
        if reply.fault is not None:
            raise OSError(reply.fault)
        return [
            Kept(True, earlier or record if isinstance(record, DecisionRecord) else None)
            for record, earlier in zip(records, reply.earlier, strict=True)
        ]

    def close(self) -> None:
        """Leave the recorder."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, message: bytes) -> Reply:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connected()
        try:
            connection.sendall(message)
            reply = receive(connection, REPLY)
            if reply is None:
                raise ConnectionError("the recorder closed the connection")
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return reply

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._within_s)
            connection.connect(str(self._path))
        except BaseException:
            connection.close()
            raise
        return connection
