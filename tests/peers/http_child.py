"""The HTTP edge in a process of its own, on durable storage, for tests that kill it.

    python http_child.py FOLDER PORT

Prints `ready PORT` when it accepts connections, and for each line `SIZE NAME` of standard input a line
`PUT_URL GET_URL`. Ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import uvloop

from parley.base.clock import SystemClock
from parley.base.config.values import ListenAddress
from parley.base.supervise import Supervisor
from parley.domain.errors import Conflict
from parley.edges.http.app import App, Routes
from parley.edges.http.asgi import Receive, Scope, Send
from parley.edges.http.discovery import Discovery
from parley.edges.http.downloads import DownloadRoutes
from parley.edges.http.operations import Operations
from parley.edges.http.receiving import Uploads
from parley.edges.http.server import HttpServer, Listener, ServerLimits
from parley.edges.http.slots import Slots, UploadLimits
from parley.edges.http.uploads import UploadRoutes
from parley.edges.http.webapp import WebApp
from parley.edges.http.websocket import WebSocketRoute
from parley.ops.health import Health
from parley.ops.metrics import Metrics
from parley.storage.blobs import LocalBlobs
from parley.storage.partials import Partials
from parley.storage.sqlite.store import SqliteStorage


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "xmpp"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def main(folder: Path, port: int) -> None:
    clock, metrics, health = SystemClock(), Metrics(), Health()
    public_url = f"http://127.0.0.1:{port}"
    limits = UploadLimits(max_size_bytes=1 << 30, quota_bytes=1 << 34, max_open=1000)
    async with AsyncExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(4))
        storage = await stack.enter_async_context(SqliteStorage(folder / "db", clock))
        with suppress(Conflict):
            await storage.accounts.add("alice@chat.example", [], clock.now_us())
        account = await storage.accounts.find("alice@chat.example")
        assert account is not None
        partials, blobs = Partials(folder / "partial", pool), LocalBlobs(folder / "blobs", pool)
        uploads = Uploads(storage.uploads, blobs, partials, limits=limits, clock=clock, metrics=metrics)
        slots = Slots(storage.uploads, partials, public_url=public_url, limits=limits, clock=clock)
        routes = Routes(
            webapp=WebApp(folder / "dist", public_url),
            websocket=WebSocketRoute(echo, public_url, metrics),
            discovery=Discovery(public_url, ["chat.example"]),
            uploads=UploadRoutes(uploads, limits, public_url),
            downloads=DownloadRoutes(storage.uploads, blobs, clock, metrics),
            operations=Operations(health, metrics),
        )
        supervisor = await stack.enter_async_context(Supervisor(clock))
        listener = Listener(ListenAddress("127.0.0.1", port))
        bounds = ServerLimits(header_timeout_s=1, drain_timeout_s=1)
        await stack.enter_async_context(HttpServer(App(routes, metrics), [listener], supervisor, bounds))
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        task = asyncio.current_task()
        assert task is not None
        loop.add_signal_handler(signal.SIGTERM, reader.feed_eof)
        print("ready", flush=True)
        while line := await reader.readline():
            size, name = line.decode().split()
            slot = await slots.request(account.id, name, "", int(size))
            print(slot.put_url, slot.get_url, flush=True)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
