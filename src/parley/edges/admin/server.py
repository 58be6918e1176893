"""Listens for commands on a Unix socket.

A client sends one line with its request and gets one line with the answer:

    {"result": {…}}
    {"error": {"code": "account-not-found", "message": "there is no account …"}}

Requests of one client are answered in turn; the client closes the connection when it has no more.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from parley.base import log as logs
from parley.base.errors import ParleyError
from parley.domain.errors import DomainError
from parley.edges.admin.socket_path import MAX_LINE_BYTES, short_path

if TYPE_CHECKING:
    from parley.base.supervise import Supervisor

Handler = Callable[[bytes], Awaitable[dict[str, Any]]]
"""Answers a request; raises ParleyError or DomainError to refuse it."""

log = logs.get(__name__)

_CREDENTIALS: Final = struct.Struct("3i")
_MOST_CLIENTS: Final = 16
_IDLE_S: Final = 60.0


class AdminServer:
    """An async context manager: entered, it listens; left, the socket is gone.

    Args:
        path: the socket's file. Whoever enters must hold the lock of its folder: a file that is there is a left-over.
        handler: answers.
        supervisor: runs the conversations.

    Raises:
        OSError: on entering, when the socket cannot be made.
    """

    def __init__(self, path: Path, handler: Handler, supervisor: Supervisor) -> None:
        self._path = path
        self._handler = handler
        self._supervisor = supervisor
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(self._path) as name:
                listener.bind(name)
            self._path.chmod(0o600)
            listener.setblocking(False)
            self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=MAX_LINE_BYTES)
        except BaseException:
            listener.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= _MOST_CLIENTS or not _is_trusted(writer.get_extra_info("socket")):
            log.warning("a local client was refused")
            writer.transport.abort()
            return
        task = self._supervisor.spawn("administration", self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_IDLE_S):
                    line = await reader.readline()
                if not line.endswith(b"\n"):
                    break
                answer = await self._answer(line)
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                async with asyncio.timeout(_IDLE_S):
                    await writer.drain()
        except (OSError, ValueError):
            # Gone, silent, or a line beyond the limit: in each case there is nobody to tell.
            log.debug("a local client is gone")
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"result": await self._handler(line)}
        except (ParleyError, DomainError) as error:
            return {"error": {"code": error.code, "message": str(error)}}
        except Exception as error:
            # The edge: a defect in one request ends neither the conversation nor the server.
            log.defect("a local request failed", error)
            return {"error": {"code": "internal", "message": "the server failed; its log says why"}}


def _is_trusted(connection: socket.socket) -> bool:
    """Tell whether the other end runs as this server's user or as root."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return user in (0, os.geteuid())
