"""Drives the HTTP application over ASGI, without sockets."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from parley.base.clock import VirtualClock
from parley.domain.accounts import Account
from parley.domain.uploads import Slot, Upload
from parley.edges.http.app import App, Routes
from parley.edges.http.discovery import Discovery
from parley.edges.http.downloads import DownloadRoutes
from parley.edges.http.operations import Operations
from parley.edges.http.receiving import Uploads
from parley.edges.http.slots import Slots, UploadLimits
from parley.edges.http.sweeping import Sweeper
from parley.edges.http.uploads import UploadRoutes
from parley.edges.http.webapp import WebApp
from parley.edges.http.websocket import WebSocketRoute
from parley.ops.health import Health
from parley.ops.metrics import Metrics
from parley.storage.blobs import LocalBlobs
from parley.storage.memory.state import AccountTable, Tables
from parley.storage.memory.uploads import MemoryUploads
from parley.storage.partials import Hasher, Partial, Partials

PUBLIC_URL = "https://chat.example"
TUS = {"tus-resumable": "1.0.0"}
PATCH = {**TUS, "content-type": "application/offset+octet-stream"}


class Crash(BaseException):
    """The process ends here."""


class Faults:
    """What goes wrong, by the name of the step, and the steps that were done in their order."""

    def __init__(self) -> None:
        self.errors: dict[str, BaseException] = {}
        self.journal: list[str] = []

    def step(self, name: str, detail: object = "") -> None:
        if name in self.errors:
            raise self.errors[name]
        self.journal.append(f"{name} {detail}".strip())


class FaultyPartial(Partial):
    faults: Faults

    async def write(self, data: bytes, hasher: Hasher | None = None) -> None:
        if "write" in self.faults.errors:
            await super().write(data[: len(data) // 2], hasher)
        self.faults.step("write")
        await super().write(data, hasher)

    async def sync(self) -> None:
        self.faults.step("sync")
        await super().sync()


class FaultyPartials(Partials):
    faults: Faults

    async def open(self, upload_id: str, offset_bytes: int) -> Partial:
        partial = await super().open(upload_id, offset_bytes)
        partial.__class__ = FaultyPartial
        partial.faults = self.faults
        return partial

    async def remove(self, upload_id: str) -> None:
        self.faults.step("remove file")
        await super().remove(upload_id)


class FaultyBlobs(LocalBlobs):
    faults: Faults

    async def put_file(self, digest: bytes, path: str) -> None:
        self.faults.step("put")
        await super().put_file(digest, path)


class FaultyRows(MemoryUploads):
    faults: Faults

    def __init__(self, faults: Faults) -> None:
        tables = Tables()
        for account_id in (1, 2):
            account = Account(account_id, f"person{account_id}@chat.example", is_suspended=False, created_at=0)
            tables.accounts[account_id] = AccountTable(account)
        super().__init__(tables)
        self.uploads = tables.uploads
        self.faults = faults

    async def advance(self, upload_id: str, offset_bytes: int, expires_at: int) -> None:
        self.faults.step("advance", offset_bytes)
        await super().advance(upload_id, offset_bytes, expires_at)

    async def complete(self, upload_id: str, digest: bytes, expires_at: int) -> None:
        self.faults.step("complete")
        await super().complete(upload_id, digest, expires_at)


@dataclass
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        return json.loads(self.body)["error"]["code"]


class Wire:
    """The client's end of one ASGI exchange. Messages can be put in while the application runs."""

    def __init__(self, method: str, path: str, headers: dict[str, str], client: str = "127.0.0.1") -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": (client, 4711),
        }
        self.reply = Reply()
        self.sent: list[dict] = []
        self.is_finished = False
        self._is_waiting = False
        self._incoming: asyncio.Queue[dict] = asyncio.Queue()

    def put(self, body: bytes, more_body: bool) -> None:
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": more_body})

    async def taken(self) -> None:
        """Wait until the application has taken all that was put in and asks for more."""
        while self._incoming.qsize() or not self._is_waiting:
            await asyncio.sleep(0)

    def cut(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> dict:
        self._is_waiting = True
        message = await self._incoming.get()
        self._is_waiting = False
        return message

    async def send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            assert self.reply.status == 0
            self.reply.status = message["status"]
            for name, value in message["headers"]:
                assert name.decode() not in self.reply.headers, name
                self.reply.headers[name.decode()] = value.decode("latin-1")
        else:
            self.reply.body += message.get("body", b"")
            self.sent.append(message)
            self.is_finished = not message.get("more_body", False)


class Site:
    """An application with everything behind it in a scratch folder."""

    def __init__(
        self,
        folder: Path,
        limits: UploadLimits | None = None,
        checkpoint_bytes: int = 1 << 30,
        min_free_bytes: int = 0,
        timeout_s: float = 60,
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.limits = limits or UploadLimits(max_size_bytes=10_000_000, quota_bytes=30_000_000)
        self.faults = Faults()
        self.rows = FaultyRows(self.faults)
        self.metrics = Metrics()
        self.health = Health()
        self.pool = ThreadPoolExecutor(2)
        self.partials = FaultyPartials(folder / "partial", self.pool, min_free_bytes)
        self.blobs = FaultyBlobs(folder / "blobs", self.pool)
        self.partials.faults = self.blobs.faults = self.faults
        self.connections: list[dict] = []
        self.start(checkpoint_bytes, timeout_s)

    def start(self, checkpoint_bytes: int = 1 << 30, timeout_s: float = 60) -> None:
        """Make the parts anew, as a restart of the process would."""
        self.slots = Slots(self.rows, self.partials, public_url=PUBLIC_URL, limits=self.limits, clock=self.clock)
        self.uploads = Uploads(
            self.rows,
            self.blobs,
            self.partials,
            limits=self.limits,
            clock=self.clock,
            metrics=self.metrics,
            checkpoint_bytes=checkpoint_bytes,
        )
        self.sweeper = Sweeper(self.rows, self.blobs, self.partials, self.uploads, self.limits)
        self.websocket = WebSocketRoute(
            self.on_websocket, PUBLIC_URL, self.metrics, ["https://app.example", "http://app.example:8000"]
        )
        self.downloads = DownloadRoutes(
            self.rows, self.blobs, self.clock, self.metrics, new_boundary=lambda: "BOUNDARY"
        )
        routes = Routes(
            webapp=WebApp(self.folder / "dist", PUBLIC_URL),
            websocket=self.websocket,
            discovery=Discovery(PUBLIC_URL, ["example.org", "bücher.example"]),
            uploads=UploadRoutes(self.uploads, self.limits, PUBLIC_URL),
            downloads=self.downloads,
            operations=Operations(self.health, self.metrics),
        )
        self.app = App(routes, self.metrics, timeout_s)

    async def on_websocket(self, scope, receive, send) -> None:
        self.connections.append(scope)
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "xmpp"})

    async def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        cut: bool = False,
        client: str = "127.0.0.1",
        is_chunked: bool = False,
    ) -> Reply:
        """One exchange; `cut` closes the connection behind the given body instead of ending it."""
        headers = dict(headers or {})
        pieces = [body] if isinstance(body, bytes) else list(body or ())
        if is_chunked:
            headers["transfer-encoding"] = "chunked"
        elif body is not None:
            headers.setdefault("content-length", str(sum(map(len, pieces))))
        wire = Wire(method, path, headers, client)
        for piece in pieces:
            wire.put(piece, more_body=True)
        if cut:
            wire.cut()
        else:
            wire.put(b"", more_body=False)
        async with asyncio.timeout(20):
            await self.app(wire.scope, wire.receive, wire.send)
        assert wire.is_finished or cut
        return wire.reply

    async def slot(self, content: bytes, filename: str = "note.ogg", content_type: str = "") -> Slot:
        return await self.slots.request(1, filename, content_type, len(content))

    async def stored(self, content: bytes, filename: str = "note.ogg", content_type: str = "") -> str:
        """Upload a content; returns the path to get it."""
        slot = await self.slot(content, filename, content_type)
        assert (await self.request("PUT", path_of(slot.put_url), body=content)).status == 201
        return path_of(slot.get_url)

    def row(self, slot: Slot) -> Upload:
        return self.rows.uploads[upload_id(slot)]

    def partial_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.folder / "partial").iterdir())

    def blob_names(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "blobs").rglob("*") if path.is_file())

    def close(self) -> None:
        self.pool.shutdown()


def path_of(url: str) -> str:
    assert url.startswith(PUBLIC_URL + "/")
    return urlsplit(url).path


def upload_id(slot: Slot) -> str:
    return path_of(slot.put_url).split("/")[2]


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
