"""Bounds on what one HTTP client may use before it has shown who it is, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.app.calling import slot
from tests.support.limits import until, within
from tests.support.raw_client import RawClient
from tests.support.server import ParleyServer

MAX_CONNECTIONS = 12
MAX_STANZA_BYTES = 20_000
BODY_TIMEOUT_S = 4
MIN_BYTES_PER_S = 1000
SETTINGS = {
    "http": [
        f"max_connections_per_address = {MAX_CONNECTIONS}",
        f"body_timeout_s = {BODY_TIMEOUT_S}",
        f"min_body_bytes_per_s = {MIN_BYTES_PER_S}",
        'trusted_proxies = ["127.0.0.3"]',
    ],
    "limits": [f"max_stanza_bytes = {MAX_STANZA_BYTES}", "max_connections_per_address = 3"],
}

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def server() -> Iterator[ParleyServer]:
    with ParleyServer(SETTINGS, is_measured=True) as started:
        yield started


@contextlib.asynccontextmanager
async def connections(server: ParleyServer, count: int, source: str = "127.0.0.1") -> AsyncIterator[list[Connection]]:
    """So many connections from an address of this machine."""
    opened: list[Connection] = []
    try:
        for _ in range(count):
            opened.append(await asyncio.open_connection("127.0.0.1", server.http_port, local_addr=(source, 0)))
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Read until the end; raises TimeoutError when it does not come."""
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
    return True


async def looked(server: ParleyServer, source: str) -> None:
    """Wait until the server has looked at its connections: it cuts one of an address that has one too many."""
    async with connections(server, MAX_CONNECTIONS + 1, source) as crowd:
        ends = [asyncio.ensure_future(is_cut(reader)) for reader, _ in crowd]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        await asyncio.wait(ends)


async def status_of(connection: Connection, path: str = "/health/live", *headers: str) -> int:
    reader, writer = connection
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
    answer = await reader.readuntil(b"\r\n")
    return int(answer.split()[1])


@within(60)
async def test_connections_of_one_address_are_bounded_and_others_are_not_hurt(server: ParleyServer) -> None:
    async with connections(server, MAX_CONNECTIONS, "127.0.0.2") as first:
        # Answered: they were there before those that are too many.
        for each in first:
            assert await status_of(each) == 200
        await looked(server, "127.0.0.7")
        async with connections(server, 10, "127.0.0.2") as further:
            for reader, _ in further:
                assert await is_cut(reader)
        async with connections(server, 1) as (other,):
            assert await status_of(other) == 200
        assert not any(reader.at_eof() for reader, _ in first)


@within(60)
async def test_connections_of_a_trusted_proxy_are_not_counted(server: ParleyServer) -> None:
    async with connections(server, 2 * MAX_CONNECTIONS, "127.0.0.3") as many:
        await looked(server, "127.0.0.4")
        assert not any(reader.at_eof() for reader, _ in many)


@within(60)
async def test_the_client_behind_a_trusted_proxy_is_the_one_that_counts(server: ParleyServer) -> None:
    async def opened(source: str, forwarded: str) -> tuple[Connection, str]:
        connection = await asyncio.open_connection("127.0.0.1", server.http_port, local_addr=(source, 0))
        return connection, await upgrade(connection, f"X-Forwarded-For: {forwarded}")

    held: list[Connection] = []
    try:
        for _ in range(3):
            connection, answer = await opened("127.0.0.3", "192.0.2.1")
            held.append(connection)
            assert " 101 " in answer
        for source, forwarded, is_welcome in (
            ("127.0.0.3", "192.0.2.1", False),
            ("127.0.0.3", "192.0.2.1, 192.0.2.2", True),
            ("127.0.0.5", "192.0.2.1", True),
        ):
            connection, answer = await opened(source, forwarded)
            held.append(connection)
            assert (" 101 " in answer) is is_welcome
    finally:
        for _, writer in held:
            writer.close()


async def upgrade(connection: Connection, *headers: str) -> str:
    """Ask for the WebSocket; returns the first line of the answer."""
    reader, writer = connection
    key = base64.b64encode(os.urandom(16)).decode()
    head = ["GET /xmpp HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
    head += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: xmpp", *headers]
    writer.write("\r\n".join([*head, "", ""]).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    return answer.partition(b"\r\n")[0].decode()


@pytest.mark.parametrize("is_fragmented", [False, True])
@within(60)
async def test_a_message_that_never_ends_is_cut_long_before_it_fills_memory(
    server: ParleyServer, is_fragmented: bool
) -> None:
    before_kib = server.rss_kib()
    async with connections(server, 3, "127.0.0.6") as opened:
        for connection in opened:
            assert " 101 " in await upgrade(connection)

        async def pour(connection: Connection) -> int:
            reader, writer = connection
            sent = 0
            with contextlib.suppress(ConnectionError):
                if not is_fragmented:
                    writer.write(b"\x81\xff" + struct.pack(">Q", 15 << 20) + bytes(4))
                while sent < 60 << 20 and not reader.at_eof():
                    head = b"\x01\xfe\xff\xff" if sent == 0 else b"\x00\xfe\xff\xff"
                    writer.write((head + bytes(4) if is_fragmented else b"") + b"a" * 65535)
                    sent += 65535
                    await writer.drain()
                    # No faster than a good line, so that what counts is the server's look and not the loop's speed.
                    await asyncio.sleep(0.02)
                    if not is_fragmented and sent > 14 << 20:
                        break
            assert await is_cut(reader)
            return sent

        async with asyncio.TaskGroup() as group:
            poured = [group.create_task(pour(connection)) for connection in opened]
    assert max(task.result() for task in poured) < 14 << 20
    assert server.rss_kib() - before_kib < 60_000
    # It is noted once the look is over: a client may see its end first.
    await until(lambda: "code=message-too-large" in server.log.read_text())


@within(60)
async def test_a_message_at_the_limit_in_small_pieces_is_not_cut(server: ParleyServer) -> None:
    """Slower than the looks, and each piece in a frame of its own."""
    opening = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
    async with connections(server, 1) as (connection,):
        reader, writer = connection
        assert " 101 " in await upgrade(connection)
        padded = opening + b" " * 9000
        for place in range(0, len(padded), 8):
            piece = padded[place : place + 8]
            final = 0x80 if place + 8 >= len(padded) else 0
            writer.write(bytes([final | (0 if place else 1), 0x80 | len(piece)]) + bytes(4) + piece)
            if place % 800 == 0:
                await writer.drain()
                await asyncio.sleep(0.1)
        answer = await asyncio.wait_for(reader.read(4096), 20)
        assert b"<open" in answer


@pytest.mark.parametrize(("pause_s", "piece"), [(60, b"x"), (0.3, b"x")], ids=["silent", "dripping"])
@within(60)
async def test_a_body_that_comes_too_slowly_is_refused(server: ParleyServer, pause_s: float, piece: bytes) -> None:
    started = time.monotonic()
    path = await a_slot(server, 100_000)
    async with connections(server, 1) as ((reader, writer),):
        writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode())

        async def drip() -> None:
            while True:
                writer.write(piece)
                await asyncio.sleep(pause_s)

        dripping = asyncio.create_task(drip())
        answer = await reader.readuntil(b"\r\n\r\n")
        dripping.cancel()
        assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started >= BODY_TIMEOUT_S


@within(60)
async def test_a_body_that_is_only_slow_is_taken(server: ParleyServer) -> None:
    """Longer than the timeout, and faster than the least rate."""
    path = await a_slot(server, 20_000)
    async with connections(server, 1) as ((reader, writer),):
        writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n".encode())
        for _ in range(20):
            writer.write(b"x" * 1000)
            await asyncio.sleep(0.25)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 201 ")


async def a_slot(server: ParleyServer, size_bytes: int) -> str:
    """The path of an upload slot."""
    person = server.person()
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(person.name, person.password)
    url = await slot(client, size_bytes)
    await client.close()
    return url.removeprefix(server.http)
