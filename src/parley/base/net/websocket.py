"""ASGI WebSockets: each message is one frame to the receiver, each queued item one message to the peer."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from parley.base.net.wire import Receiver

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CLOSE_WITHIN_S: Final = 5.0


class WebSocketDriver:
    """One WebSocket connection, as an ASGI application runs it.

    Args:
        scope, receive, send: of the ASGI call.
        subprotocol: the one to agree on.
        before_write: called before queued items are given to the system.
    """

    kind = "websocket"

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        subprotocol: str,
        before_write: Callable[[], None] | None = None,
    ) -> None:
        client = scope.get("client")
        self.peer = str(client[0]) if client else ""
        self.channel_bindings: Mapping[str, bytes] = {}
        self._asgi_receive = receive
        self._asgi_send = send
        self._subprotocol = subprotocol
        self._before_write = before_write
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._has_work = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_closing = False
        self._is_gone = asyncio.Event()

    async def run(self, receivers: Callable[[str], Receiver | None]) -> None:
        """Accept the WebSocket and serve it until it ends."""
        await self._asgi_receive()
        receiver = receivers(self.peer)
        if receiver is None:
            await self._asgi_send({"type": "websocket.close", "code": 1013})
            return
        receiver.connected(self)
        try:
            await self._asgi_send({"type": "websocket.accept", "subprotocol": self._subprotocol})
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read(receiver)), group.create_task(self._write())]
                await self._is_gone.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self._is_gone.set()
            receiver.disconnected()

    async def _read(self, receiver: Receiver) -> None:
        while True:
            await self._may_read.wait()
            message = await self._asgi_receive()
            if message["type"] == "websocket.disconnect":
                break
            text = message.get("text")
            # RFC 7395 §3.2: frames are text; a binary one is passed on as it is and fails as XML or passes as UTF-8.
            receiver.received(text.encode() if text is not None else message.get("bytes") or b"")
        self._is_gone.set()

    async def _write(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            try:
                while self._queue:
                    item = self._queue.popleft()
                    if self._before_write is not None:
                        self._before_write()
                    await self._asgi_send({"type": "websocket.send", "text": item.decode()})
                    self._queued_bytes -= len(item)
                if self._is_closing:
                    await self._asgi_send({"type": "websocket.close", "code": 1000})
                    self._is_gone.set()
            except (OSError, RuntimeError):
                # The peer is gone; how the server says so is not specified.
                self._is_gone.set()
            if self._is_gone.is_set():
                return

    # Wire

    def send(self, items: Sequence[bytes]) -> None:
        """See `Wire.send`."""
        if not self._is_gone.is_set() and not self._is_closing:
            self._queue.extend(items)
            self._queued_bytes += sum(map(len, items))
            self._has_work.set()

    @property
    def unsent_bytes(self) -> int:
        """See `Wire.unsent_bytes`."""
        return self._queued_bytes

    def pause_reading(self) -> None:
        """See `Wire.pause_reading`."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """See `Wire.resume_reading`."""
        self._may_read.set()

    async def start_tls(self, context: ssl.SSLContext, timeout_s: float) -> None:
        """WebSockets have TLS from the start or not at all (RFC 7395 §3.9); raises OSError."""
        raise OSError("a WebSocket cannot start TLS")

    def close(self) -> None:
        """See `Wire.close`."""
        if not self._is_closing:
            self._is_closing = True
            self._has_work.set()
            asyncio.get_running_loop().call_later(_CLOSE_WITHIN_S, self.abort)

    def abort(self) -> None:
        """See `Wire.abort`."""
        self._is_gone.set()
