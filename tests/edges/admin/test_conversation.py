"""Server and client of the local door, talking over a real socket in a deep folder."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parley.base.clock import SystemClock
from parley.base.supervise import Supervisor
from parley.domain.errors import NotFound
from parley.edges.admin.client import AdminClient
from parley.edges.admin.errors import Broken, NotListening, Refusal
from parley.edges.admin.server import AdminServer
from parley.edges.admin.socket_path import short_path


async def echo(line: bytes) -> dict[str, Any]:
    if line.startswith(b"refuse"):
        raise NotFound("account-not-found", "there is no such account")
    if line.startswith(b"break"):
        raise RuntimeError("secret detail")
    return {"asked": line.decode().strip()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # Longer than the 107 bytes that the system allows for the name of a socket.
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    return folder / "admin.sock"


@contextlib.asynccontextmanager
async def listening(path: Path) -> AsyncIterator[AdminServer]:
    async with Supervisor(SystemClock(), 1.0) as supervisor, AdminServer(path, echo, supervisor) as server:
        yield server


async def asked(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    def ask() -> list[dict[str, Any]]:
        with AdminClient(path) as client:
            return [client.ask(line) for line in lines]

    return await asyncio.to_thread(ask)


async def test_requests_are_answered_in_turn(path):
    async with listening(path):
        assert await asked(path, b"one", b"two") == [{"asked": "one"}, {"asked": "two"}]


async def test_a_refusal_keeps_its_code(path):
    async with listening(path):
        with pytest.raises(Refusal, match="no such account") as caught:
            await asked(path, b"refuse")
        assert caught.value.code == "account-not-found"


async def test_a_defect_stays_in_the_log(path):
    async with listening(path):
        with pytest.raises(Refusal) as caught:
            await asked(path, b"break")
        assert caught.value.code == "internal"
        assert "secret detail" not in str(caught.value)
        assert await asked(path, b"still there") == [{"asked": "still there"}]


async def test_only_the_owner_may_connect(path):
    async with listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_long_request_arrives(path):
    async with listening(path):
        (answer,) = await asked(path, b"x" * 3_000_000)
        assert len(answer["asked"]) == 3_000_000


async def test_a_left_over_socket_is_replaced_and_removed_at_the_end(path):
    with socket.socket(socket.AF_UNIX) as old, short_path(path) as name:
        old.bind(name)
    async with listening(path):
        assert await asked(path, b"one") == [{"asked": "one"}]
    assert not path.exists()


async def test_nobody_listens(path):
    with pytest.raises(NotListening):
        await asked(path, b"one")
    with socket.socket(socket.AF_UNIX) as old, short_path(path) as name:
        old.bind(name)
    with pytest.raises(NotListening):
        await asked(path, b"one")


async def test_a_server_that_ends_leaves_nobody_waiting(path):
    with socket.socket(socket.AF_UNIX) as silent:
        with short_path(path) as name:
            silent.bind(name)
        silent.listen()
        asking = asyncio.create_task(asked(path, b"one"))
        connection, _ = await asyncio.to_thread(silent.accept)
        connection.close()
        with pytest.raises(Broken):
            await asking
