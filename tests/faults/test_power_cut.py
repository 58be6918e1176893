"""A power cut loses nothing that was acknowledged.

A server runs under strace while a client sends messages and uploads. The trace is replayed on a model of a disk that
keeps only what was synced (`disk.py`). Whenever the trace shows `<a h=…/>` or a 2xx leaving a socket, all that it
acknowledges must be on that disk; and from some of these instants a server is started on what the disk then holds.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.faults.disk import STRACE, Call, Disk, calls_of
from tests.faults.ledger import Tally
from tests.faults.load import File, archived, is_there, request_slot
from tests.support.limits import within
from tests.support.raw_client import SM, RawClient
from tests.support.server import ParleyServer, Person

ROUNDS = 12
MESSAGES_PER_ROUND = 8
FILE_BYTES = 40_000
PIECE_BYTES = 15_000
CRASHES = 5
TUS = {"Tus-Resumable": "1.0.0"}
ACK = re.compile(rb"<a [^>]*\bh=['\"](\d+)['\"]")
STATUS = re.compile(rb"HTTP/1\.1 (201|204) ")


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*STRACE, "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is missing or may not trace")


@dataclass(slots=True)
class Story:
    """What the client did: texts in order, and per 2xx in order what it acknowledges: a file and how much of it."""

    sender: Person
    reader: Person
    texts: list[str] = field(default_factory=list)
    answers: list[tuple[File, int]] = field(default_factory=list)
    port: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """At one place of the trace, so much had been acknowledged."""

    texts: int
    answers: int


@within(170)
async def test_nothing_is_acknowledged_before_it_is_synced() -> None:
    with ParleyServer(people=2) as server:
        server.stop()
        before = server.folder / "before"
        shutil.copytree(server.data, before)
        trace = server.folder / "trace"
        server.wrapper = [*STRACE, "-o", str(trace)]
        server.start()
        story = Story(server.person(), server.person())
        await tell(server, story)
        # Not killed: strace would die with it, and with the last lines.
        await asyncio.to_thread(server.stop)
        server.wrapper = []
        calls = list(calls_of(trace.read_text().splitlines()))
        disk = Disk(server.data, before)
        places = list(check_order(disk, calls, story, server))
        assert places[-1] == Acknowledged(len(story.texts), len(story.answers))
        # The check itself: a server that does not sync is found out.
        careless = [call for call in calls if call.name != "fdatasync"]
        with pytest.raises(AssertionError, match="not synced"):
            list(check_order(Disk(server.data, before), careless, story, server))
        print(f"\n{len(places)} acknowledgements, {disk.syncs} syncs, {len(calls)} system calls")
        await crash(server, before, calls, story, places)


async def tell(server: ParleyServer, story: Story) -> None:
    """Send messages, a few at a time, and upload files by PUT and by tus between them."""
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    story.port = client.local_port
    await client.login(story.sender.name, story.sender.password)
    await client.bind("sender")
    await client.enable_sm()
    async with httpx.AsyncClient(timeout=30) as http:
        for number in range(ROUNDS):
            for _ in range(MESSAGES_PER_ROUND):
                text = f"{story.sender.name} {len(story.texts)} {secrets.token_hex(8)}"
                story.texts.append(text)
                client.send(f"<message to='{story.reader.address}' type='chat'><body>{text}</body></message>")
                client.send(f"<r xmlns='{SM}'/>")
            await client.recv_until(lambda element: element.get("h") == str(len(story.texts)))
            if number % 4 == 1:
                await put(http, story, await request_slot(server, story.reader, FILE_BYTES))
            elif number % 4 == 3:
                await patch(http, story, await request_slot(server, story.reader, FILE_BYTES))
    await client.close()


async def put(http: httpx.AsyncClient, story: Story, file: File) -> None:
    answer = await http.put(file.put, content=file.content)
    assert answer.status_code == 201
    story.answers.append((file, len(file.content)))


async def patch(http: httpx.AsyncClient, story: Story, file: File) -> None:
    for start in range(0, len(file.content), PIECE_BYTES):
        piece = file.content[start : start + PIECE_BYTES]
        headers = {**TUS, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        answer = await http.patch(file.put, content=piece, headers=headers)
        assert answer.status_code == 204
        story.answers.append((file, start + len(piece)))


def acknowledgements(call: Call, story: Story, server: ParleyServer, so_far: Acknowledged) -> Acknowledged:
    """What a call adds to what had been acknowledged before it."""
    ports = call.sent_from
    if ports is None:
        return so_far
    data = b"".join(call.strings)
    texts, answers = so_far.texts, so_far.answers
    if ports == (server.c2s_port, story.port):
        texts = max([texts, *(int(h) for h in ACK.findall(data))])
    elif ports[0] == server.http_port:
        answers += len(STATUS.findall(data))
    return Acknowledged(texts, answers)


def check_order(disk: Disk, calls: list[Call], story: Story, server: ParleyServer) -> Iterator[Acknowledged]:
    """Replay the trace: at each acknowledgement all that it covers must be on the disk; yields what it covers."""
    # What a call sends may be seen as soon as it has begun; what a call stores counts only when it has returned.
    sends = sorted((call for call in calls if call.sent_from is not None), key=lambda call: call.began)
    changes = iter([*(call for call in calls if call.sent_from is None), None])
    change = next(changes)
    so_far = Acknowledged(0, 0)
    for send in sends:
        while change is not None and change.ended < send.began:
            disk.apply(change)
            change = next(changes)
        now = acknowledgements(send, story, server, so_far)
        if now != so_far:
            check_durable(disk, story, so_far, now)
            so_far = now
            yield now


def check_durable(disk: Disk, story: Story, before: Acknowledged, now: Acknowledged) -> None:
    database = (disk.file("parley.db") or b"") + (disk.file("parley.db-wal") or b"")
    for text in story.texts[before.texts : now.texts]:
        assert text.encode() in database, f"acknowledged and not synced: {text}"
    for file, size in story.answers[before.answers : now.answers]:
        if size == len(file.content):
            digest = hashlib.sha256(file.content).hexdigest()
            assert disk.file(f"blobs/{digest[:2]}/{digest}") == file.content, "acknowledged and not stored"
        else:
            upload_id = file.put.split("/upload/")[1].split("/")[0]
            partial = disk.file(f"partials/{upload_id}") or b""
            assert partial[:size] == file.content[:size], f"acknowledged and not synced: {size} bytes"


async def crash(
    server: ParleyServer, before: Path, calls: list[Call], story: Story, places: list[Acknowledged]
) -> None:
    """Start the server on what the disk holds at some acknowledgements, with nothing or some of what was not synced."""
    chosen = [*sorted(random.sample(range(len(places) - 1), CRASHES - 1)), len(places) - 1]
    disk = Disk(server.data, before)
    replay = enumerate(check_order(disk, calls, story, server))
    stored, files = Tally(), Tally()
    for crash_number, place in enumerate(chosen):
        now = next(acknowledged for number, acknowledged in replay if number == place)
        shutil.rmtree(server.data)
        disk.write_image(server.data, random.Random(place) if crash_number % 2 else None)
        await asyncio.to_thread(server.start)
        for person in (story.sender, story.reader):
            found = await archived(server, person, story.sender.name)
            stored.compare(f"cut {place}, archive of {person.name}", story.texts[: now.texts], found)
        await check_files(story, now, files)
        server.kill()
    print(f"after {len(chosen)} cuts: messages: {stored}; uploads: {files}")
    assert not stored.trouble + files.trouble, stored.trouble + files.trouble


async def check_files(story: Story, now: Acknowledged, files: Tally) -> None:
    """Whole files can be fetched, unfinished ones go on from where they were acknowledged."""
    latest = {file.put: (file, size) for file, size in story.answers[: now.answers]}
    async with httpx.AsyncClient(timeout=20) as http:
        for file, size in latest.values():
            if size == len(file.content):
                files.check(file.get, await is_there(http, file))
            else:
                answer = await http.head(file.put, headers=TUS)
                offset = int(answer.headers.get("upload-offset", "-1"))
                files.check(f"{file.put} at {offset} of {size}", offset >= size)
