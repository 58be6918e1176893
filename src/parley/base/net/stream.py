"""TCP and TLS on asyncio: writes are coalesced per loop turn."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from parley.base.net.server_tls import verified_chain
from parley.base.net.tls import TlsCredentials
from parley.base.net.wire import Receiver

_CLOSE_WITHIN_S = 5.0


class StreamDriver(asyncio.Protocol):
    """One TCP or TLS connection.

    Args:
        receivers: makes the receiver of a new connection, or returns None to refuse it at once.
        credentials: the certificate in use, for the channel binding it gives clients; None between servers.
        before_write: called before queued bytes are given to the system.
    """

    def __init__(
        self,
        receivers: Callable[[str], Receiver | None],
        credentials: TlsCredentials | None = None,
        before_write: Callable[[], None] | None = None,
    ) -> None:
        self._before_write = before_write
        self._receivers = receivers
        self._credentials = credentials
        self._receiver: Receiver | None = None
        self._transport: asyncio.Transport | None = None
        self._queue: list[bytes] = []
        self._is_flush_due = False
        self._is_switching = False
        self._early: list[bytes] = []
        self._cut: asyncio.TimerHandle | None = None
        self.kind = "tcp"
        self.peer = ""
        self.channel_bindings: Mapping[str, bytes] = {}

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = _host(transport.get_extra_info("peername"))
        if transport.get_extra_info("ssl_object") is not None:
            self._secured()
        self._receiver = self._receivers(self.peer)
        if self._receiver is None:
            self._transport.abort()
            return
        self._receiver.connected(self)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._receiver is None:
            return
        if self._is_switching or self._early:
            # Read under TLS already: the peer sent it together with the end of its handshake. What it had sent in
            # clear before (which may be an attacker's, CVE-2011-0411) went to the receiver, which drops it.
            self._early.append(data)
        else:
            self._receiver.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._cut is not None:
            self._cut.cancel()
        self._queue.clear()
        self._early.clear()
        receiver, self._receiver = self._receiver, None
        self._transport = None
        if receiver is not None:
            receiver.disconnected()

    # Wire

    def send(self, items: Sequence[bytes]) -> None:
        """Queue bytes; see `Wire.send`."""
        if self._transport is None:
            return
        self._queue += items
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._transport is not None and self._queue:
            if self._before_write is not None:
                self._before_write()
            data = self._queue[0] if len(self._queue) == 1 else b"".join(self._queue)
            self._queue.clear()
            self._transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the kernel has not taken, and those of this turn."""
        waiting = sum(map(len, self._queue)) if self._queue else 0
        return waiting + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def pause_reading(self) -> None:
        """See `Wire.pause_reading`."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See `Wire.resume_reading`."""
        if self._transport is not None and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()
        if self._early:
            asyncio.get_running_loop().call_soon(self._deliver_early)

    def _deliver_early(self) -> None:
        if self._receiver is not None and self._early and not self._is_switching:
            data = b"".join(self._early)
            self._early.clear()
            self._receiver.received(data)

    async def start_tls(self, context: ssl.SSLContext, timeout_s: float, server_name: str | None = None) -> None:
        """See `Wire.start_tls` and `ServerWire.start_tls`; `timeout_s` limits the handshake."""
        self._flush()
        if self._transport is None:
            raise ConnectionResetError
        self._is_switching = True
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                context,
                server_side=server_name is None,
                server_hostname=server_name,
                ssl_handshake_timeout=timeout_s,
            )
        finally:
            self._is_switching = False
        if transport is None or self._receiver is None:
            raise ConnectionResetError
        self._transport = transport
        self._secured()

    def _secured(self) -> None:
        self.kind = "tls"
        if self._credentials is not None:
            self.channel_bindings = {"tls-server-end-point": self._credentials.server_end_point}

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """See `ServerWire.peer_chain`."""
        connection = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return () if connection is None else verified_chain(connection)

    def close(self) -> None:
        """See `Wire.close`."""
        self._flush()
        if self._transport is not None and self._cut is None:
            self._transport.close()
            self._cut = asyncio.get_running_loop().call_later(_CLOSE_WITHIN_S, self.abort)

    def abort(self) -> None:
        """See `Wire.abort`."""
        if self._transport is not None:
            self._transport.abort()


def _host(peername: object) -> str:
    return str(peername[0]) if isinstance(peername, tuple) and peername else ""
