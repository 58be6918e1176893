from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from parley.base.net.connecting import connect


async def test_the_next_address_is_tried_at_once_when_one_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        began = time.monotonic()
        connection = await connect(["127.0.0.2", "127.0.0.1"], port, 10)
        assert connection.getpeername()[0] == "127.0.0.1"
        assert time.monotonic() - began < 5
        connection.close()


async def test_an_address_that_does_not_answer_holds_nobody_up() -> None:
    # A listener whose queue is full drops what comes: that address stays silent.
    with socket.socket() as full, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        full.bind(("127.0.0.3", port))
        full.listen(0)
        waiting = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.3", port))
            waiting.append(filler)
        await asyncio.sleep(0)
        connection = await connect(["127.0.0.3", "127.0.0.1"], port, 10)
        assert connection.getpeername()[0] in {"127.0.0.1", "127.0.0.3"}
        connection.close()
        for filler in waiting:
            filler.close()


async def test_nobody_answers() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await connect(["127.0.0.1", "127.0.0.2"], port, 10)


async def test_without_an_address_there_is_no_connection() -> None:
    with pytest.raises(OSError, match="no address"):
        await connect([], 1, 10)


async def test_who_is_not_waited_for_any_longer_leaves_no_socket_behind() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.3", 0))
        port = full.getsockname()[1]
        full.listen(0)
        waiting = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.3", port))
            waiting.append(filler)
        before = open_sockets()
        # Cancelled in the middle; and ports that are none are no OSError.
        with pytest.raises(TimeoutError):
            await connect(["127.0.0.3"], port, 0.05)
        with pytest.raises((OverflowError, ExceptionGroup)):
            await connect(["127.0.0.3"], 1 << 20, 5)
        assert open_sockets() == before
        for filler in waiting:
            filler.close()


def open_sockets() -> int:
    links = (os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(link.startswith("socket:") for link in links)
