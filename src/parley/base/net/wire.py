"""What an edge sees of a connection, whatever carries it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Protocol


class Wire(Protocol):
    """A connection to one peer."""

    kind: str
    """`tcp`, `tls` or `websocket`."""
    peer: str
    """The peer's network address without its port."""
    channel_bindings: Mapping[str, bytes]
    """Data of each TLS channel binding at hand, by its name (RFC 5929)."""

    def send(self, items: Sequence[bytes]) -> None:
        """Queue items (each one frame on a WebSocket); they go out together at the end of the loop's turn."""
        ...

    @property
    def unsent_bytes(self) -> int:
        """Bytes queued that the peer has not taken yet."""
        ...

    def pause_reading(self) -> None:
        """Take nothing more from the peer until `resume_reading`."""
        ...

    def resume_reading(self) -> None:
        """Go on."""
        ...

    async def start_tls(self, context: ssl.SSLContext, timeout_s: float) -> None:
        """Turn the connection into TLS; raises OSError when the handshake fails."""
        ...

    def close(self) -> None:
        """Send what is queued, then close; a peer that does not take it is cut after a time."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class ServerWire(Wire, Protocol):
    """A connection between servers."""

    async def start_tls(self, context: ssl.SSLContext, timeout_s: float, server_name: str | None = None) -> None:
        """As `Wire.start_tls`; with the name of the server that was called, as its client."""
        ...

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The certificates that the peer showed, DER, its own first; empty without TLS or when it showed none."""
        ...


class Receiver(Protocol):
    """Who handles a connection."""

    def connected(self, wire: Wire) -> None:
        """The connection is up."""
        ...

    def received(self, data: bytes) -> None:
        """Bytes came, or one whole frame."""
        ...

    def disconnected(self) -> None:
        """The connection is gone; nothing can be sent any more. Called once."""
        ...
