"""Bad manners over real sockets: each gets the error of its RFC, nobody else notices, and memory stays bounded."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import secrets
import ssl
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.limits import until, within
from tests.support.raw_client import RawClient, StreamClosedError
from tests.support.server import ParleyServer

MAX_STANZA_BYTES = 20_000
MAX_BYTES_UNAUTHENTICATED = 10_000
MAX_DEPTH = 16
MAX_CONNECTIONS = 40
MAX_RESOURCES = 5
HANDSHAKE_S = 8
GROWTH_KIB = 40_000
SETTINGS = {
    "limits": [
        f"max_stanza_bytes = {MAX_STANZA_BYTES}",
        f"max_stanza_bytes_unauthenticated = {MAX_BYTES_UNAUTHENTICATED}",
        f"max_depth = {MAX_DEPTH}",
        f"max_connections_per_address = {MAX_CONNECTIONS}",
        f"max_resources_per_account = {MAX_RESOURCES}",
        f"handshake_timeout_s = {HANDSHAKE_S}",
        "max_unsent_bytes = 65536",
        "sm_max_unacked = 50",
    ],
    "http": ["header_timeout_s = 2"],
}
OPEN = (
    b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
CONDITION = re.compile(rb"<([a-z-]+) xmlns=['\"]urn:ietf:params:xml:ns:xmpp-streams['\"]")
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200))


@pytest.fixture(scope="module")
def server() -> Iterator[ParleyServer]:
    with ParleyServer(SETTINGS, people=250, is_measured=True) as started:
        yield started


@pytest.fixture(autouse=True)
async def others_unaffected(server: ParleyServer) -> AsyncIterator[None]:
    """Somebody else is signed in before, is served afterwards, and the server has not grown."""
    somebody, other = server.person(), await RawClient("127.0.0.1", server.c2s_port).connect()
    await other.session(somebody.name, somebody.password)
    before_kib = server.rss_kib()
    yield
    await other.iq("get", "<ping xmlns='urn:xmpp:ping'/>", "localhost")
    other.send(f"<message to='{other.jid}' type='chat'><body>still here</body></message>")
    await other.recv_until(lambda element: element.tag == "{jabber:client}message")
    assert server.rss_kib() - before_kib < GROWTH_KIB
    await other.close()


async def say(server: ParleyServer, *pieces: bytes, pause_s: float = 0, port: int = 0) -> bytes:
    """Connect, say something, and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port or server.c2s_port)
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(read_all(reader))
        for piece in pieces:
            writer.write(piece)
            if pause_s and not answer.done():
                await asyncio.sleep(pause_s)
    writer.close()
    return answer.result()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Everything until the end, however it comes."""
    data = b""
    with contextlib.suppress(OSError):
        while piece := await reader.read(65536):
            data += piece
    return data


def condition(answer: bytes) -> str:
    match = CONDITION.search(answer)
    return match[1].decode() if match is not None else f"no stream error: {answer!r}"


async def signed_in(server: ParleyServer) -> RawClient:
    person = server.person()
    return await (await RawClient("127.0.0.1", server.c2s_port).connect()).session(person.name, person.password)


async def drained(client: RawClient) -> None:
    """Wait for the end of the stream."""
    with contextlib.suppress(StreamClosedError):
        while True:
            await client.recv()


async def stream_error(client: RawClient) -> str:
    """The condition with which the server ends the client's stream; raises when it does not close."""
    error = await client.recv_until(lambda element: element.tag.endswith("}error"))
    await drained(client)
    return str(error[0].tag.rpartition("}")[2])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"\x01\x02garbage", "not-well-formed"),
        (b"\x00\x01\x02garbage", "unsupported-encoding"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-well-formed"),
        (CLIENT_HELLO, "not-well-formed"),
        (OPEN + b"<a></b>", "not-well-formed"),
        (OPEN + b"<message>\xff\xfe</message>", "not-well-formed"),
        (b"<?xml version='1.0' encoding='UTF-16'?>" + OPEN[21:], "unsupported-encoding"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?>" + OPEN[21:], "unsupported-encoding"),
        (OPEN.decode().encode("utf-16"), "unsupported-encoding"),
        (b"<?xml version='1.0'?><!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + OPEN[21:], "restricted-xml"),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + OPEN[21:], "restricted-xml"),
        (OPEN + b"<!-- hello -->", "restricted-xml"),
        (OPEN + b"<?php echo 1 ?>", "restricted-xml"),
        (OPEN.replace(b"etherx.jabber.org/streams", b"example.org/streams"), "invalid-namespace"),
        (OPEN.replace(b"jabber:client", b"jabber:nothing"), "invalid-namespace"),
        (OPEN.replace(b"localhost", b"elsewhere.example"), "host-unknown"),
        (OPEN + b"<message to='person1@localhost'><body>hi</body></message>", "not-authorized"),
        (OPEN + b"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "not-authorized"),
        (OPEN + b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b"A" * 30_000, "policy-violation"),
        (OPEN + b"<a b='" + b"c" * 30_000, "policy-violation"),
        (OPEN + b"<a>" * 200, "policy-violation"),
        (b" " * 100 + b"<stream:stream xmlns:stream='x' a='" + b"b" * 30_000, "policy-violation"),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else value[-30:].decode("latin-1").encode("unicode_escape").decode()
    ),
)
@within(60)
async def test_before_signing_in(server: ParleyServer, said: bytes, expected: str) -> None:
    answer = await say(server, said)
    assert condition(answer) == expected
    assert answer.endswith(b"</stream:stream>")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("<!-- no -->", "restricted-xml"),
        ("<message><body><!-- no --></body></message>", "restricted-xml"),
        ("<message><?pi x?></message>", "restricted-xml"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>", "not-well-formed"),
        ("<message><body>&lol;</body></message>", "restricted-xml"),
        ("<message><body></message>", "not-well-formed"),
        ("<message xmlns:a='b' a:c='1' a:c='2'/>", "not-well-formed"),
        ("<message><x:body>unbound</x:body></message>", "bad-namespace-prefix"),
        ("<nothing xmlns='example:unknown'/>", "unsupported-stanza-type"),
        ("<message from='somebody@else.example' to='a@localhost'/>", "invalid-from"),
        ("<message from='not a jid@@' to='a@localhost'/>", "invalid-from"),
        ("<message>" + "<a>" * (MAX_DEPTH + 5), "policy-violation"),
        ("<message><body>" + "x" * (MAX_STANZA_BYTES + 100), "policy-violation"),
        ("text between stanzas", "bad-format"),
    ],
)
@within(60)
async def test_after_signing_in(server: ParleyServer, said: str, expected: str) -> None:
    client = await signed_in(server)
    client.send(said)
    assert await stream_error(client) == expected


@pytest.mark.parametrize(
    "address", ["@localhost", "a@", "a@b@localhost", "a b@localhost", "a@localhost/\u200b\x7f", "x" * 2000]
)
@pytest.mark.parametrize("stanza", ["message", "presence", "iq"])
@within(60)
async def test_bad_address_is_answered(server: ParleyServer, address: str, stanza: str) -> None:
    client = await signed_in(server)
    kind, payload = {
        "message": ("chat", "<body>x</body>"),
        "presence": ("subscribe", ""),
        "iq": ("get", "<q xmlns='q'/>"),
    }[stanza]
    client.send(f"<{stanza} to='{address}' type='{kind}' id='bad'>{payload}</{stanza}>")
    answer = await client.recv_until(lambda element: element.get("id") == "bad")
    assert answer.get("type") == "error"
    assert answer.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}jid-malformed") is not None
    await client.iq("get", "<ping xmlns='urn:xmpp:ping'/>", "localhost")
    await client.close()


@within(60)
async def test_unknown_request_is_answered(server: ParleyServer) -> None:
    client = await signed_in(server)
    answer = await client.iq("get", "<q xmlns='example:unknown'/>", "localhost")
    assert answer.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}service-unavailable") is not None
    await client.close()


@within(60)
async def test_giant_stanza_is_cut_off_while_it_comes_slowly(server: ParleyServer) -> None:
    client = await signed_in(server)
    client.send("<message to='a@localhost'><body>")
    for _ in range(MAX_STANZA_BYTES // 1000 + 5):
        client.send("y" * 1000)
        await asyncio.sleep(0.01)
    assert await stream_error(client) == "policy-violation"


@pytest.mark.parametrize("said", [b"", b"<?xml version='1.0'?><stream:str", OPEN, OPEN + b"<auth xmlns='urn"])
@within(60)
async def test_slow_loris_is_shown_out(server: ParleyServer, said: bytes) -> None:
    started = time.monotonic()
    answer = await say(server, said)
    assert time.monotonic() - started > HANDSHAKE_S - 0.5
    assert condition(answer) == "connection-timeout"


@pytest.mark.parametrize("said", [b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: "])
@within(60)
async def test_slow_loris_is_shown_out_of_http(server: ParleyServer, said: bytes) -> None:
    await say(server, said, port=server.http_port)


@within(60)
async def test_drip_of_bytes_is_shown_out(server: ParleyServer) -> None:
    answer = await say(server, OPEN, *([b"<auth>"] + [b"A"] * 150), pause_s=0.1)
    assert condition(answer) == "connection-timeout"


@within(60)
async def test_flood_of_connections_is_bounded(server: ParleyServer) -> None:
    results = [await asyncio.open_connection("127.0.0.1", server.c2s_port) for _ in range(MAX_CONNECTIONS + 30)]

    def open_count() -> int:
        return sum(not reader.at_eof() and reader.exception() is None for reader, _ in results)

    # One belongs to the bystander.
    await until(lambda: open_count() <= MAX_CONNECTIONS - 1)
    assert open_count() == MAX_CONNECTIONS - 1
    for _, writer in results:
        writer.close()
    # The server lets others in again when it has seen these go.
    while True:
        with contextlib.suppress(StreamClosedError, OSError):
            await (await signed_in(server)).close()
            return


@within(60)
async def test_flood_of_handshakes_is_bounded(server: ParleyServer) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", server.tls_port) for _ in range(MAX_CONNECTIONS + 10)]
    # One belongs to the bystander. Those that were let in are shown out too, but only when their time is up.
    for reader, _ in opened[MAX_CONNECTIONS - 1 :]:
        assert await read_all(reader) == b""
    assert not any(reader.at_eof() for reader, _ in opened[: MAX_CONNECTIONS - 1])
    for reader, writer in opened:
        await read_all(reader)
        writer.close()
    client = await RawClient("127.0.0.1", server.tls_port).connect(direct_tls=True)
    person = server.person()
    await client.session(person.name, person.password)
    await client.close()


@within(60)
async def test_resources_of_an_account_are_bounded(server: ParleyServer) -> None:
    person = server.person()
    clients = []
    for number in range(MAX_RESOURCES):
        client = await RawClient("127.0.0.1", server.c2s_port).connect()
        clients.append(await client.session(person.name, person.password, f"r{number}"))
    one_more = await RawClient("127.0.0.1", server.c2s_port).connect()
    await one_more.login(person.name, person.password)
    with pytest.raises(PermissionError, match="resource-constraint"):
        await one_more.bind("one-more")
    assert await one_more.bind("r0") == f"{person.address}/r0"
    assert await stream_error(clients[0]) == "conflict"
    for client in [*clients, one_more]:
        await client.close()


@within(60)
async def test_client_that_never_acknowledges_is_dropped(server: ParleyServer) -> None:
    person, sender = server.person(), await signed_in(server)
    deaf = await RawClient("127.0.0.1", server.c2s_port).connect()
    await deaf.login(person.name, person.password)
    await deaf.bind("deaf")
    await deaf.enable_sm(resume=True)
    deaf.send("<presence/>")
    # What came before its presence would be handed out as waiting mail, for which the server waits for room.
    await deaf.recv_until(lambda element: element.tag.endswith("}presence"))
    for number in range(80):
        sender.send(f"<message to='{person.address}' type='chat'><body>{number}</body></message>")
    assert await stream_error(deaf) == "resource-constraint"
    again = await RawClient("127.0.0.1", server.c2s_port).connect()
    await again.session(person.name, person.password)
    bodies = []
    while len(bodies) < 80:
        element = await again.recv()
        bodies += [body.text for body in element.iter("{jabber:client}body")]
    assert bodies == [str(number) for number in range(80)]
    await again.close()
    await sender.close()


@within(60)
async def test_too_many_wrong_passwords_end_the_stream(server: ParleyServer) -> None:
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    name = server.person().name
    for _ in range(4):
        with pytest.raises(PermissionError):
            await client.login(name, "wrong")
    assert await stream_error(client) == "policy-violation"
    await client.close()


@pytest.mark.parametrize("said", [b"garbage" * 100, OPEN, CLIENT_HELLO[:20], b"\x16\x03\x01\xff\xff" + b"x" * 70_000])
@within(60)
async def test_garbage_instead_of_tls(server: ParleyServer, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.tls_port)
    writer.write(said)
    if said == CLIENT_HELLO[:20]:
        writer.write_eof()
    await read_all(reader)
    writer.close()


@within(60)
async def test_garbage_after_starttls(server: ParleyServer) -> None:
    start_tls = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    answer = await say(server, OPEN + start_tls, b"x" * 5000, pause_s=0.2)
    assert b"<proceed" in answer


@within(60)
async def test_bytes_in_clear_behind_starttls_are_dropped(server: ParleyServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.c2s_port)
    injected = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>"
    writer.write(OPEN + b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + injected)
    answer = b""
    while b"<proceed" not in answer:
        answer += await reader.read(4096)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await writer.start_tls(context)
    writer.write(OPEN)
    answer = await reader.read(4096)
    assert b"<failure" not in answer
    assert b"<stream:stream" in answer
    writer.close()


# WebSocket


def frame(opcode: int, payload: bytes, *, is_masked: bool = True, is_final: bool = True, reserved: int = 0) -> bytes:
    """A frame of RFC 6455 §5.2."""
    first = (0x80 if is_final else 0) | reserved << 4 | opcode
    mask = secrets.token_bytes(4) if is_masked else b""
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + struct.pack(">H", size)
        if size < 65536
        else b"\x7f" + struct.pack(">Q", size)
    )
    masked = bytes([length[0] | (0x80 if is_masked else 0)]) + length[1:]
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if is_masked else payload
    return bytes([first]) + masked + mask + body


FRAMED_OPEN = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"


async def websocket(server: ParleyServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /xmpp HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n".encode()
    )
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in answer.split(b"\r\n")[0]
    return reader, writer


@pytest.mark.parametrize(
    "said",
    [
        frame(1, FRAMED_OPEN, is_masked=False),
        frame(1, FRAMED_OPEN, reserved=7),
        frame(9, b"p" * 200),
        frame(3, b"unknown opcode"),
        frame(0, b"continues nothing"),
        frame(1, b"\xff\xfe\xfd"),
        b"\x81\xff" + struct.pack(">Q", 2**62) + b"abcd" + b"x" * 100,
        frame(1, FRAMED_OPEN) + frame(1, b"<message"),
        frame(1, FRAMED_OPEN) + frame(1, b"<message/><message/>"),
        frame(1, OPEN),
        frame(1, b"<!DOCTYPE a>" + FRAMED_OPEN),
        frame(2, b"\x00\x01\x02"),
        frame(1, b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' a='" + b"x" * 40_000 + b"'/>"),
    ],
    ids=[
        *("unmasked", "reserved-bits", "long-ping", "unknown-opcode", "stray-continuation", "not-utf8", "giant-length"),
        *("half-a-stanza", "two-stanzas", "stream-header", "dtd", "binary", "too-large"),
    ],
)
@within(60)
async def test_malformed_frames_end_the_websocket(server: ParleyServer, said: bytes) -> None:
    reader, writer = await websocket(server)
    writer.write(said)
    # A server that only waited would end it with this error when the time for signing in is over.
    assert b"connection-timeout" not in await read_all(reader)
    writer.close()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (frame(1, OPEN), "restricted-xml"),
        (frame(1, FRAMED_OPEN) + frame(1, b"<message"), "not-well-formed"),
        (frame(1, FRAMED_OPEN) + frame(1, b"<!-- x --><message xmlns='jabber:client'/>"), "restricted-xml"),
        (frame(1, FRAMED_OPEN.replace(b"localhost", b"elsewhere.example")), "host-unknown"),
        (frame(1, FRAMED_OPEN) + frame(1, b"<message xmlns='jabber:client'/>"), "not-authorized"),
    ],
    ids=["stream-header", "half-a-stanza", "comment", "unknown-host", "not-signed-in"],
)
@within(60)
async def test_stream_errors_over_websocket(server: ParleyServer, said: bytes, expected: str) -> None:
    reader, writer = await websocket(server)
    writer.write(said)
    answer = await read_all(reader)
    assert condition(answer) == expected
    assert b"<close" in answer
    writer.close()
