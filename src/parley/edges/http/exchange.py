"""One request and its reply, over ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from parley.edges.http.asgi import Message, Receive, Scope, Send
from parley.edges.http.errors import Disconnected, Interrupted, Refusal, Stalled
from parley.protocols.http.errors import HeaderError

Headers = Sequence[tuple[str, str]]

LINGER_BYTES = 16 * 1024 * 1024
LINGER_S = 5.0
"""How much of an unwanted body is read and dropped behind a reply, and for how long."""

UNWATCHED_BYTES = 1024 * 1024
"""Replies up to this size are sent without watching for the client's going away."""

_COMMON: Headers = (("server", "parley"), ("x-content-type-options", "nosniff"))


class Exchange:
    """A request as a route sees it, and the way to answer it once.

    Args:
        scope: of ASGI, type `http`.
        receive: of ASGI.
        send: of ASGI.
        timeout_s: what one piece of the body, or one piece of the reply, may take to cross the network, in seconds.
        min_bytes_per_s: a body that comes more slowly, and `timeout_s` more, has stalled.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, timeout_s: float = 60.0, min_bytes_per_s: int = 0
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.client: str = scope["client"][0] if scope.get("client") else ""
        self.is_answered = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._timeout_s = timeout_s
        self._min_bytes_per_s = min_bytes_per_s
        self._received_bytes = 0
        self._waited_s = 0.0
        self.has_body = self.header("content-length") not in (None, "0") or self._is_chunked
        self._has_body_left = self.has_body
        self._is_interrupted = False
        self._deadline: asyncio.Timeout | None = None
        self._reply_headers: list[tuple[str, str]] = list(_COMMON)

    @property
    def _is_chunked(self) -> bool:
        return self.header("transfer-encoding") is not None

    def header(self, name: str) -> str | None:
        """Return a request header by its lower-case name; repeated ones joined by commas (RFC 9110 §5.3)."""
        wanted = name.encode()
        values = [value.decode("latin-1") for key, value in self._scope["headers"] if key == wanted]
        return ", ".join(values) if values else None

    def content_length(self) -> int | None:
        """Return `Content-Length`, or None when the body is chunked or there is none.

        Raises:
            HeaderError: when it is not a number.
        """
        value = self.header("content-length")
        if value is None or self._is_chunked:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise HeaderError("Content-Length", "not a number")
        return int(value)

    def add_header(self, name: str, value: str) -> None:
        """Send this header with whatever the reply will be, errors included."""
        self._reply_headers.append((name, value))

    async def piece(self) -> bytes | None:
        """Return the next piece of the body, as it came, or None at its end.

        Raises:
            Disconnected: the connection ended before the body did.
            Interrupted: `interrupt` was called.
            Stalled: nothing came for `timeout_s`, or all that came took too long.
        """
        while self._has_body_left:
            message = await self._next_message()
            if message["type"] == "http.disconnect":
                self._has_body_left = False
                raise Disconnected
            self._has_body_left = message.get("more_body", False)
            body: bytes = message.get("body", b"")
            if body:
                self._received_bytes += len(body)
                return body
        return None

    async def _next_message(self) -> Message:
        if self._is_interrupted:
            raise Interrupted
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._patience_s()) as self._deadline:
                return await self._receive()
        except TimeoutError:
            if self._is_interrupted:
                raise Interrupted from None
            raise Stalled from None
        finally:
            self._deadline = None
            # Only waiting counts: what the server does with a piece is not the client's delay.
            self._waited_s += loop.time() - started

    def _patience_s(self) -> float:
        if not self._min_bytes_per_s:
            return self._timeout_s
        left_s = self._timeout_s + self._received_bytes / self._min_bytes_per_s - self._waited_s
        return min(self._timeout_s, left_s)

    def interrupt(self) -> None:
        """End the reading of the body now: `piece` raises `Interrupted`."""
        self._is_interrupted = True
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def reply(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Send a whole reply. To HEAD the body's length is told and the body left out (RFC 9110 §9.3.2)."""
        length: Headers = () if status in (204, 304) else (("content-length", str(len(body))),)
        await self._start(status, (*headers, *length))
        await self._finish(b"" if self.method == "HEAD" else body)

    async def reply_json(self, status: int, document: Mapping[str, object], headers: Headers = ()) -> None:
        """Send a JSON document."""
        body = json.dumps(document).encode()
        await self.reply(status, (("content-type", "application/json"), *headers), body)

    async def refuse(self, refusal: Refusal) -> None:
        """Send an error, then read on for a while: a client that still writes would else lose the answer to a reset."""
        headers = (("content-type", "application/json"), ("cache-control", "no-store"), *refusal.headers)
        await self.reply(refusal.status, headers, refusal.body())
        await self._linger()

    async def reply_head(self, status: int, headers: Headers, size_bytes: int) -> None:
        """Answer HEAD for a content of `size_bytes`."""
        await self._start(status, (*headers, ("content-length", str(size_bytes))))
        await self._finish(b"")

    async def stream(self, status: int, headers: Headers, size_bytes: int, pieces: AsyncIterator[bytes]) -> int:
        """Send a body of `size_bytes` piece by piece, each when the one before has found room.

        Returns:
            How many bytes were handed over; fewer than `size_bytes` when the client went away.

        Raises:
            Disconnected: the client took nothing for `timeout_s`; the connection is cut.
        """
        await self._start(status, (*headers, ("content-length", str(size_bytes))))
        if size_bytes <= UNWATCHED_BYTES:
            return await self._send_pieces(pieces, lambda: False)
        failure: Exception | None = None
        sent = 0
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(self._wait_gone())
            try:
                sent = await self._send_pieces(pieces, gone.done)
            except Exception as error:
                # Raised again below, outside of the group, which would wrap it.
                failure = error
            finally:
                gone.cancel()
        if failure is not None:
            raise failure
        return sent

    async def _send_pieces(self, pieces: AsyncIterator[bytes], is_gone: Callable[[], bool]) -> int:
        sent = 0
        async for piece in pieces:
            if is_gone():
                return sent
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                # A client that takes nothing any more is as good as gone; the unfinished reply cuts the connection.
                raise Disconnected from None
            sent += len(piece)
        await self._finish(b"")
        return sent

    async def _wait_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, status: int, headers: Headers) -> None:
        self.is_answered = True
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in (*self._reply_headers, *headers)]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _finish(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _linger(self) -> None:
        # A client that waits for «100 Continue» has sent nothing and will not.
        if not self._has_body_left or self.header("expect") is not None:
            return
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_S):
                while left > 0 and self._has_body_left:
                    message = await self._receive()
                    self._has_body_left = message["type"] == "http.request" and message.get("more_body", False)
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return
