"""The WebSocket driver as an ASGI application, with a server that the test plays."""

from __future__ import annotations

import asyncio
from typing import Any

from parley.base.net.websocket import WebSocketDriver
from parley.base.net.wire import Wire


class Server:
    """What stands between the driver and a browser."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.failing = ""
        self.messages.put_nowait({"type": "websocket.connect"})

    async def receive(self) -> dict[str, Any]:
        return await self.messages.get()

    async def send(self, message: Any) -> None:
        if message["type"] == self.failing:
            raise RuntimeError("gone")
        self.sent.append(message)

    def driver(self) -> WebSocketDriver:
        return WebSocketDriver({"client": ("192.0.2.1", 1)}, self.receive, self.send, "xmpp")


class Recorder:
    """A receiver that keeps what it gets, and answers."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.connections = 0
        self.wire: Wire | None = None

    def connected(self, wire: Wire) -> None:
        self.wire = wire
        self.connections += 1

    def received(self, data: bytes) -> None:
        self.got.append(data)
        if self.wire is not None:
            self.wire.send([b"<one/>", b"<two/>"])

    def disconnected(self) -> None:
        self.connections -= 1


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_frames_go_in_and_out_one_by_one() -> None:
    server, receiver = Server(), Recorder()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = group.create_task(server.driver().run(lambda _peer: receiver))
        await turn()
        assert server.sent == [{"type": "websocket.accept", "subprotocol": "xmpp"}]
        server.messages.put_nowait({"type": "websocket.receive", "text": "<open/>"})
        server.messages.put_nowait({"type": "websocket.receive", "bytes": b"<b/>"})
        await turn()
        assert receiver.got == [b"<open/>", b"<b/>"]
        assert [message["text"] for message in server.sent[1:]] == ["<one/>", "<two/>"] * 2
        assert receiver.wire is not None
        assert receiver.wire.unsent_bytes == 0
        receiver.wire.close()
        receiver.wire.send([b"<late/>"])
        await running
    assert server.sent[-1] == {"type": "websocket.close", "code": 1000}
    assert receiver.connections == 0


async def test_nothing_is_read_while_paused() -> None:
    server, receiver = Server(), Recorder()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(server.driver().run(lambda _peer: receiver))
        await turn()
        assert receiver.wire is not None
        receiver.wire.pause_reading()
        server.messages.put_nowait({"type": "websocket.receive", "text": "1"})
        server.messages.put_nowait({"type": "websocket.receive", "text": "2"})
        await turn()
        # One may have been on its way.
        assert len(receiver.got) <= 1
        receiver.wire.resume_reading()
        await turn()
        assert receiver.got == [b"1", b"2"]
        server.messages.put_nowait({"type": "websocket.disconnect"})
    assert receiver.connections == 0


async def test_a_refused_one_is_closed_unaccepted() -> None:
    server = Server()
    await server.driver().run(lambda _peer: None)
    assert server.sent == [{"type": "websocket.close", "code": 1013}]


async def test_who_is_gone_before_it_is_accepted_leaves_nothing_behind() -> None:
    for failing in ("websocket.accept", "websocket.send", "websocket.close"):
        server, receiver = Server(), Recorder()
        server.failing = failing
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            running = group.create_task(_quietly(server.driver(), receiver))
            await turn()
            if receiver.wire is not None:
                receiver.wire.send([b"<a/>"])
                receiver.wire.close()
            await running
        assert receiver.connections == 0


async def _quietly(driver: WebSocketDriver, receiver: Recorder) -> None:
    try:
        await driver.run(lambda _peer: receiver)
    except RuntimeError:
        assert receiver.connections == 0


async def test_an_aborted_one_ends() -> None:
    server, receiver = Server(), Recorder()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(server.driver().run(lambda _peer: receiver))
        await turn()
        assert receiver.wire is not None
        receiver.wire.abort()
    assert receiver.connections == 0
