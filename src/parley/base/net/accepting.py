"""Direct TLS: connections are counted before they shake hands, which the event loop's own servers cannot do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Protocol

from parley.base import log as logs
from parley.base.errors import SupervisorClosedError
from parley.base.net.stream import StreamDriver
from parley.base.net.tls import TlsCredentials
from parley.base.net.wire import Receiver

log = logs.get(__name__)

_AT_ONCE: Final = 100
_PAUSE_S: Final = 1.0


class Door(Protocol):
    """Counts connections while they shake hands."""

    def enter(self, peer: str) -> bool:
        """Whether one more handshake with `peer` is welcome; it counts from now on."""
        ...

    def leave(self, peer: str) -> None:
        """A handshake that was welcome has ended, well or not."""
        ...


class TlsServer:
    """Accepts connections that start with TLS, until `close`.

    Args:
        sockets: listening, not blocking; closed with the server.
        credentials: for the handshake; None where `context` is given.
        receivers: makes the receiver of a connection that has shaken hands; see `StreamDriver`.
        door: asked before the handshake.
        timeout_s: returns the time for a handshake, in seconds.
        spawn: runs it in the background; see `Supervisor.spawn`.
        context: chooses for each peer's address, in place of the one of `credentials`.
        failed: is told of a peer's address and of why its handshake failed.
        before_write: see `StreamDriver`.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        credentials: TlsCredentials | None,
        receivers: Callable[[str], Receiver | None],
        *,
        door: Door,
        timeout_s: Callable[[], float],
        spawn: Callable[[str, Coroutine[None, None, None]], object],
        before_write: Callable[[], None] | None = None,
        context: Callable[[str], ssl.SSLContext] | None = None,
        failed: Callable[[str, OSError], None] | None = None,
    ) -> None:
        self._before_write = before_write
        self._context = context
        self._failed = failed
        self._sockets = list(sockets)
        self._credentials = credentials
        self._receivers = receivers
        self._door = door
        self._timeout_s = timeout_s
        self._spawn = spawn
        for listening in self._sockets:
            self._resume(listening)

    def close(self) -> None:
        """Accept nothing more."""
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # No file is left for it: others have to end first.
                log.error("connections cannot be accepted", reason=error.strerror or str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(_PAUSE_S, self._resume, listening)
                return
            self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, peer: str) -> None:
        if not self._door.enter(peer):
            connection.close()
            return
        connection.setblocking(False)
        try:
            self._spawn("handshake", self._shake_hands(connection, _Stay(self._door, peer)))
        except SupervisorClosedError:
            self._door.leave(peer)
            connection.close()

    async def _shake_hands(self, connection: socket.socket, stay: _Stay) -> None:
        def receiver(peer: str) -> Receiver | None:
            # From now on it counts as a connection.
            stay.end()
            return self._receivers(peer)

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: StreamDriver(receiver, self._credentials, self._before_write),
                connection,
                ssl=self._context_for(stay.peer),
                ssl_handshake_timeout=self._timeout_s(),
            )
        except OSError as error:
            log.debug("handshake failed", reason=str(error), pii={"peer": stay.peer})
            if self._failed is not None:
                self._failed(stay.peer, error)
        finally:
            stay.end()

    def _context_for(self, peer: str) -> ssl.SSLContext:
        if self._context is not None:
            return self._context(peer)
        if self._credentials is None:
            raise ValueError("neither credentials nor a context")
        return self._credentials.context


class _Stay:
    """One handshake at the door, which ends once."""

    def __init__(self, door: Door, peer: str) -> None:
        self.peer = peer
        self._door: Door | None = door

    def end(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.leave(self.peer)
