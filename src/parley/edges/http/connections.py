"""Bounds on connections that granian accepts and shows to nobody before they have sent a whole request or message.

granian bounds how many connections are open, but not how many one address has, and it takes WebSocket messages of up to
64 MiB. So this looks, now and again, at the sockets of the process itself: which came in at a listener, who is at the
other end, and, for WebSockets, how much was read since the last whole message. What passes a bound is shut down, the
connections of an address that were seen last first; to granian it is as if the peer had hung up.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
import struct
import sys
import termios
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from parley.base import log as logs
from parley.base.net.peers import network_of
from parley.edges.http.asgi import Message, Receive
from parley.protocols.http.forwarding import Network, is_among

log = logs.get(__name__)

Peer = tuple[str, int]
"""An address and a port."""

_EVERY_S: Final = 0.25
_SHARE: Final = 0.01
"""So much of a core's time is spent on looking at most: with very many connections it is done less often."""
_DESCRIPTORS: Final = "/dev/fd"
# Linux, `struct tcp_info`: where `tcpi_bytes_received` lies.
_RECEIVED: Final = struct.Struct("=Q")
_RECEIVED_AT: Final = 128


@dataclass(slots=True)
class ConnectionLimits:
    """Bounds of connections.

    Attributes:
        max_per_address: open connections of one IPv4 address, or of one IPv6 network of 64 bits.
        max_message_bytes: what a WebSocket may send before a message is complete.
        trusted: networks of reverse proxies: their connections are not counted, and they say who their clients are.
    """

    max_per_address: int = 500
    max_message_bytes: int = 1024 * 1024
    trusted: Sequence[Network] = ()


class MessageCount:
    """How many whole messages a WebSocket has delivered."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def counted(self, receive: Receive) -> Receive:
        """Return the `receive` of a WebSocket, with what it returns counted."""

        async def counting() -> Message:
            message = await receive()
            self.count += 1
            return message

        return counting


@dataclass(slots=True)
class _Seen:
    inode: int
    peer: Peer | None
    count: int = -1
    read_bytes: int = 0


@dataclass(slots=True)
class Look:
    """What one look found and cut, as network addresses of peers, and the processor time that it took."""

    crowding: list[str] = field(default_factory=list)
    oversized: list[str] = field(default_factory=list)
    cost_s: float = 0.0


class Connections:
    """Watches the connections of an HTTP server. `run` is a service.

    Args:
        limits: bounds; may be replaced at any time.
        refused: is told a code for each connection that is cut.
    """

    def __init__(self, limits: ConnectionLimits, refused: Callable[[str], None]) -> None:
        self.limits = limits
        self._refused = refused
        self._listening: frozenset[Peer] = frozenset()
        self._seen: dict[int, _Seen] = {}
        self._websockets: dict[Peer, MessageCount] = {}

    def listen(self, addresses: Iterable[Peer]) -> None:
        """Watch the connections that come in at these addresses."""
        self._listening = frozenset(addresses)

    @contextmanager
    def websocket(self, peer: Peer) -> Iterator[MessageCount]:
        """Watch a WebSocket for the length of the context; the counter wants to know of each message."""
        counter = self._websockets[peer] = MessageCount()
        try:
            yield counter
        finally:
            if self._websockets.get(peer) is counter:
                del self._websockets[peer]

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                found = await asyncio.to_thread(self.look)
            except OSError as error:
                log.error("connections cannot be watched", code="connections-unwatched", reason=str(error))
                return
            for code, peers in (("connections-from-address", found.crowding), ("message-too-large", found.oversized)):
                for peer in peers:
                    self._refused(code)
                    log.warning("connection cut", code=code, pii={"peer": peer})
            await asyncio.sleep(max(_EVERY_S, found.cost_s / _SHARE))

    def look(self) -> Look:
        """Look once, and shut down what is over a bound.

        Raises:
            OSError: the system does not tell which files the process has open.
        """
        started = time.thread_time()
        found = Look()
        by_network: dict[str, list[int]] = defaultdict(list)
        for descriptor, peer in self._incoming():
            counter = self._websockets.get(peer)
            if counter is not None and self._is_oversized(descriptor, counter):
                found.oversized.append(peer[0])
                _cut(descriptor, peer)
            else:
                by_network[network_of(peer[0])].append(descriptor)
        for descriptors in by_network.values():
            for descriptor in descriptors[self.limits.max_per_address :]:
                peer = self._seen[descriptor].peer or ("", 0)
                if is_among(peer[0], self.limits.trusted):
                    break
                found.crowding.append(peer[0])
                _cut(descriptor, peer)
        found.cost_s = time.thread_time() - started
        return found

    def _incoming(self) -> list[tuple[int, Peer]]:
        """The connections that came in, by descriptor, in the order in which they were seen first."""
        gone = set(self._seen)
        for name in os.listdir(_DESCRIPTORS):
            descriptor = int(name)
            try:
                status = os.fstat(descriptor)
            except OSError:
                continue
            seen = self._seen.get(descriptor)
            if seen is not None and seen.inode == status.st_ino:
                gone.discard(descriptor)
            elif stat.S_ISSOCK(status.st_mode):
                gone.discard(descriptor)
                # To the end: it is a new one under an old number.
                self._seen.pop(descriptor, None)
                self._seen[descriptor] = _Seen(status.st_ino, self._peer_of(descriptor))
        for descriptor in gone:
            del self._seen[descriptor]
        return [(descriptor, seen.peer) for descriptor, seen in self._seen.items() if seen.peer is not None]

    def _peer_of(self, descriptor: int) -> Peer | None:
        with suppress(OSError), _borrowed(descriptor) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            host, port = connection.getsockname()[:2]
            wildcard = "0.0.0.0" if connection.family == socket.AF_INET else "::"  # noqa: S104 - compared, not bound
            if (host, port) in self._listening or (wildcard, port) in self._listening:
                peer: Peer = connection.getpeername()[:2]
                return peer
        return None

    def _is_oversized(self, descriptor: int, counter: MessageCount) -> bool:
        read_bytes = _read_bytes(descriptor)
        seen = self._seen[descriptor]
        if seen.count != counter.count:
            seen.count, seen.read_bytes = counter.count, read_bytes
        return read_bytes - seen.read_bytes > self.limits.max_message_bytes


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """A socket that somebody else owns and closes; raises OSError when it is none (any more)."""
    # Not a duplicate: closing one of a database file, should it have taken the number, would drop the file's locks.
    connection = socket.socket(fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()


def _cut(descriptor: int, peer: Peer) -> None:
    with suppress(OSError), _borrowed(descriptor) as connection:
        if connection.getpeername()[:2] == peer:
            connection.shutdown(socket.SHUT_RDWR)


def _read_bytes(descriptor: int) -> int:
    """What has been read from a connection so far, in bytes; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    with suppress(OSError), _borrowed(descriptor) as connection:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED_AT + _RECEIVED.size)
        if len(info) >= _RECEIVED_AT + _RECEIVED.size:
            waiting = int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
            received: int = _RECEIVED.unpack_from(info, _RECEIVED_AT)[0]
            return received - waiting
    return 0
