"""Clients that keep a server busy through kills: they remember what was acknowledged and send again what was not.

A `Talker` sends numbered messages under stream management, many in flight, and takes what comes. When its connection
breaks it signs in anew, sends what was not acknowledged again, byte for byte, and goes on. A `PutUploader` and a
`TusUploader` do the same over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from lxml import etree
from tests.support.raw_client import SM, RawClient, StreamClosedError
from tests.support.server import ParleyServer, Person

SID = "urn:xmpp:sid:0"
UPLOAD = "urn:xmpp:http:upload:0"
MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"

WINDOW = 60
REQUEST_EVERY = 5
RETRY_S = 0.05
BURST_S = 0.02
CATCH_UP_S = 15

BROKEN = (StreamClosedError, OSError, PermissionError, TimeoutError, httpx.TransportError, AssertionError)
"""How a killed server looks from outside; a stream that fails while it is negotiated fails an assertion."""


class Worker:
    """Something that lives through several lives of the server."""

    def __init__(self, server: ParleyServer) -> None:
        self.server = server
        self.is_stopping = False
        self.breaks: Counter[str] = Counter()

    def stop(self) -> None:
        """Begin nothing new."""
        self.is_stopping = True

    async def run(self) -> None:
        """Work until told to stop and done, through all breaks."""
        while True:
            try:
                await self.live()
            except BROKEN as error:
                self.breaks[f"{type(error).__name__} {error}"[:100]] += 1
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def live(self) -> None:
        """Work over one connection; returns when stopped and done."""
        raise NotImplementedError


class Talker(Worker):
    """Sends to `peer`, receives from anybody.

    Attributes:
        sent: the texts, in order; the first `acked` of them are acknowledged.
        received: text and archive id of what came, in order, resent copies included.
        refused: messages that came back as errors.
    """

    def __init__(self, server: ParleyServer, person: Person, peer: Person) -> None:
        super().__init__(server)
        self.person = person
        self.peer = peer
        self.sent: list[str] = []
        self.acked = 0
        self.received: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.lives = 0
        self._base = 0
        self._moved = asyncio.Event()

    @property
    def acknowledged(self) -> list[str]:
        return self.sent[: self.acked]

    def distinct(self, sender: str) -> list[str]:
        """What came from `sender` over all streams, each archive id once."""
        by_id = {archive_id: text for text, archive_id in self.received if text.startswith(f"{sender} ")}
        return list(by_id.values())

    def stop(self) -> None:
        super().stop()
        self._moved.set()

    async def catch_up(self, sender: Talker) -> None:
        """Take what still waits of `sender`; ends when all that was acknowledged to it has come, or after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_S), asyncio.TaskGroup() as group:
                client = await self._connected()
                reading = group.create_task(self._read(client))
                while not set(sender.acknowledged) <= {text for text, _ in self.received}:
                    await asyncio.sleep(RETRY_S)
                reading.cancel()
                await client.close()

    async def _connected(self) -> RawClient:
        client = await RawClient("127.0.0.1", self.server.c2s_port).connect()
        try:
            await client.login(self.person.name, self.person.password)
            await client.bind("talker")
            await client.enable_sm(resume=True)
        except BaseException:
            await client.close()
            raise
        # One stanza before the messages: presence. From here on `h` counts one more than messages.
        client.send("<presence/>")
        return client

    async def live(self) -> None:
        client = await self._connected()
        try:
            self.lives += 1
            self._base = self.acked - 1
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(client))
                await self._send(client)
                reading.cancel()
        except* BROKEN as errors:
            raise StreamClosedError from errors
        finally:
            await client.close()

    async def _send(self, client: RawClient) -> None:
        next_one = self.acked
        while True:
            while next_one < len(self.sent):
                client.send(self._stanza(next_one))
                next_one += 1
            client.send(f"<r xmlns='{SM}'/>")
            if self.is_stopping and self.acked == len(self.sent):
                return
            if len(self.sent) - self.acked >= WINDOW or self.is_stopping:
                self._moved.clear()
                await self._moved.wait()
                continue
            for _ in range(REQUEST_EVERY):
                self.sent.append(f"{self.person.name} {len(self.sent)}")
            await asyncio.sleep(random.random() * BURST_S)

    def _stanza(self, number: int) -> str:
        text = self.sent[number]
        key = text.replace(" ", "-")
        return (
            f"<message to='{self.peer.address}' type='chat' id='{key}'><body>{text}</body>"
            f"<origin-id xmlns='{SID}' id='{key}'/></message>"
        )

    async def _read(self, client: RawClient) -> None:
        while True:
            element = await client.recv(timeout_s=60)
            if element.tag == f"{{{SM}}}a":
                self.acked = max(self.acked, self._base + int(element.get("h", "0")))
                self._moved.set()
            elif element.tag == f"{{{SM}}}r":
                client.send(f"<a xmlns='{SM}' h='{client.handled}'/>")
            elif element.tag == "{jabber:client}message":
                self._take(element)

    def _take(self, message: etree._Element) -> None:
        if message.get("type") == "error":
            self.refused.append(etree.tostring(message, encoding="unicode"))
            return
        body = message.findtext("{jabber:client}body")
        for stanza_id in message.findall(f"{{{SID}}}stanza-id"):
            if body is not None and stanza_id.get("by") == self.person.address:
                self.received.append((body, stanza_id.get("id", "")))


@dataclass(slots=True)
class File:
    """A content and where it is to be found; `acked_bytes` of it were acknowledged."""

    content: bytes
    put: str
    get: str
    acked_bytes: int = 0
    is_complete: bool = False
    shortfalls: list[str] = field(default_factory=list)


class Uploader(Worker):
    """Uploads one file after the other.

    Attributes:
        files: what has a slot.
    """

    most_bytes = 60_000

    def __init__(self, server: ParleyServer, person: Person) -> None:
        super().__init__(server)
        self.person = person
        self.files: list[File] = []

    async def live(self) -> None:
        client = await RawClient("127.0.0.1", self.server.c2s_port).connect()
        try:
            await client.login(self.person.name, self.person.password)
            await client.bind("uploader")
            async with httpx.AsyncClient(timeout=20) as http:
                for file in self.files:
                    if not file.is_complete:
                        await self.upload(http, file)
                while not self.is_stopping:
                    file = await slot_of(client, random.randint(1, self.most_bytes))
                    self.files.append(file)
                    await self.upload(http, file)
        finally:
            await client.close()

    async def upload(self, http: httpx.AsyncClient, file: File) -> None:
        """Upload it, or what is missing of it."""
        raise NotImplementedError


async def slot_of(client: RawClient, size_bytes: int) -> File:
    """A slot for a random content, asked for by a client that is signed in."""
    answer = await client.iq(
        "get",
        f"<request xmlns='{UPLOAD}' filename='a.bin' size='{size_bytes}'/>",
        f"upload.{client.domain}",
    )
    slot = answer[0]
    assert slot.tag == f"{{{UPLOAD}}}slot", etree.tostring(answer)
    return File(secrets.token_bytes(size_bytes), slot[0].get("url", ""), slot[1].get("url", ""))


async def request_slot(server: ParleyServer, person: Person, size_bytes: int) -> File:
    """A slot for a random content, asked for over a connection of its own."""
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    try:
        await client.login(person.name, person.password)
        await client.bind("slots")
        return await slot_of(client, size_bytes)
    finally:
        await client.close()


class PutUploader(Uploader):
    """One plain PUT per file."""

    async def upload(self, http: httpx.AsyncClient, file: File) -> None:
        answer = await http.put(file.put, content=file.content)
        assert answer.status_code in (200, 201), answer.text
        file.acked_bytes = len(file.content)
        file.is_complete = True


class TusUploader(Uploader):
    """tus: several PATCH requests per file, going on from the offset that the server tells."""

    most_bytes = 400_000
    piece_bytes = 50_000
    tus = {"Tus-Resumable": "1.0.0"}  # noqa: RUF012 - never changed

    async def upload(self, http: httpx.AsyncClient, file: File) -> None:
        answer = await http.head(file.put, headers=self.tus)
        assert answer.status_code == 200, answer.status_code
        offset = int(answer.headers["upload-offset"])
        if offset < file.acked_bytes:
            file.shortfalls.append(f"{offset} of {file.acked_bytes} acknowledged bytes")
        while offset < len(file.content):
            piece = file.content[offset : offset + self.piece_bytes]
            headers = {**self.tus, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            answer = await http.patch(file.put, content=piece, headers=headers)
            assert answer.status_code == 204, answer.text
            offset = int(answer.headers["upload-offset"])
            file.acked_bytes = offset
        file.is_complete = True


async def archived(server: ParleyServer, person: Person, sender: str, *, resource: str = "reader") -> list[str]:
    """The texts from `sender` in a person's whole archive, in its order."""
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    try:
        await client.login(person.name, person.password)
        await client.bind(resource)
        texts: list[str] = []
        last = ""
        for number in itertools.count():
            after = f"<after>{last}</after>" if last else ""
            client.send(
                f"<iq type='set' id='q{number}'><query xmlns='{MAM}' queryid='q{number}'>"
                f"<set xmlns='{RSM}'><max>250</max>{after}</set></query></iq>"
            )
            while (element := await client.recv()).tag != "{jabber:client}iq":
                body = element.findtext(".//{jabber:client}message/{jabber:client}body")
                if body is not None and body.startswith(f"{sender} "):
                    texts.append(body)
            fin = element.find(f"{{{MAM}}}fin")
            assert fin is not None, etree.tostring(element)
            if fin.get("complete") == "true":
                return texts
            last = fin.findtext(f".//{{{RSM}}}last") or ""
        return texts
    finally:
        await client.close()


async def is_there(http: httpx.AsyncClient, file: File) -> bool:
    """Whether a file can be fetched as it was sent."""
    answer = await http.get(file.get)
    return (
        answer.status_code == 200 and hashlib.sha256(answer.content).digest() == hashlib.sha256(file.content).digest()
    )


@asynccontextmanager
async def working(workers: Sequence[Worker], finish_s: float) -> AsyncIterator[None]:
    """Let workers work inside the context; at its end they finish what they have begun, within `finish_s`."""
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]
    try:
        yield
        for worker in workers:
            worker.stop()
        async with asyncio.timeout(finish_s):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
