"""The TCP driver: STARTTLS with a peer that loses no time, on a transport in memory."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from parley.app.certificates import make_self_signed
from parley.base.net.stream import StreamDriver
from parley.base.net.tls import TlsCredentials
from parley.base.net.wire import Wire


class MemoryTransport(asyncio.Transport):
    """A connection whose other end is the test's."""

    _start_tls_compatible = True

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self._protocol: asyncio.BaseProtocol = protocol
        self.written = bytearray()
        self.is_aborted = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def bring(self, data: bytes) -> None:
        """Bytes of the peer."""
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            protocol.get_buffer(len(data))[: len(data)] = data
            protocol.buffer_updated(len(data))
        elif isinstance(protocol, asyncio.Protocol):
            protocol.data_received(data)

    def is_reading(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.is_aborted

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.is_aborted = True

    close = abort


class Recorder:
    """A receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.is_gone = False

    def connected(self, wire: Wire) -> None:
        self.wire = wire

    def received(self, data: bytes) -> None:
        self.got.append(data)

    def disconnected(self) -> None:
        self.is_gone = True


@dataclass
class Peer:
    """A client's side of TLS, byte by byte in the test's hands."""

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)

    def step(self, transport: MemoryTransport) -> bool:
        """Go on with the handshake; True when it is done and nothing of its last flight was sent yet."""
        self.incoming.write(bytes(transport.written))
        transport.written.clear()
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            transport.bring(self.outgoing.read())
            return False
        return True


def credentials(folder: Path) -> TlsCredentials:
    pair = make_self_signed(["example.org"], datetime.now(UTC))
    certificate, key = folder / "c.pem", folder / "k.pem"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.private_key)
    return TlsCredentials(certificate, key)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


async def test_what_comes_with_the_end_of_the_handshake_is_not_lost(tmp_path: Path) -> None:
    receiver = Recorder()
    secrets = credentials(tmp_path)
    driver = StreamDriver(lambda _peer: receiver, secrets)
    transport = MemoryTransport(driver)
    driver.connection_made(transport)
    transport.bring(b"<starttls/>")
    driver.pause_reading()
    async with asyncio.TaskGroup() as group:
        switching = group.create_task(driver.start_tls(secrets.context, 5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        peer = Peer()
        while not peer.step(transport):
            await until(lambda: transport.written)
        peer.tls.write(b"<stream:stream>")
        transport.bring(peer.outgoing.read())
        await switching
        assert receiver.got == [b"<starttls/>"]
    assert driver.kind == "tls"
    assert driver.channel_bindings == {"tls-server-end-point": secrets.server_end_point}
    driver.resume_reading()
    await until(lambda: len(receiver.got) > 1)
    assert receiver.got == [b"<starttls/>", b"<stream:stream>"]
    peer.tls.write(b"more")
    transport.bring(peer.outgoing.read())
    await until(lambda: len(receiver.got) > 2)
    assert receiver.got[2] == b"more"


async def test_writes_of_one_turn_go_out_together(tmp_path: Path) -> None:
    receiver = Recorder()
    driver = StreamDriver(lambda _peer: receiver, credentials(tmp_path))
    transport = MemoryTransport(driver)
    driver.connection_made(transport)
    driver.send([b"a", b"b"])
    driver.send([b"c"])
    assert bytes(transport.written) == b""
    await until(lambda: transport.written)
    assert bytes(transport.written) == b"abc"
    driver.connection_lost(None)
    assert receiver.is_gone
    driver.send([b"d"])
    driver.abort()


async def test_a_refused_connection_is_cut_at_once(tmp_path: Path) -> None:
    driver = StreamDriver(lambda _peer: None, credentials(tmp_path))
    transport = MemoryTransport(driver)
    driver.connection_made(transport)
    assert transport.is_aborted
    driver.data_received(b"x")
    driver.connection_lost(None)
