from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.desktop import DesktopServer
from tests.support.server import ParleyServer


@pytest.fixture(scope="session")
def peer_server() -> Iterator[ParleyServer]:
    """One server for all peers of this worker: every test takes people of its own."""
    with ParleyServer(people=160, is_measured=True) as server:
        yield server


@pytest.fixture
def server(peer_server: ParleyServer) -> Iterator[ParleyServer]:
    """The server; what it logged meanwhile is shown when the test fails."""
    yield peer_server
    print(peer_server.log_tail())


@pytest.fixture(scope="session")
def desktop_peer_server() -> Iterator[DesktopServer]:
    """One server for all desktop programs of this worker."""
    with DesktopServer(people=60) as server:
        yield server


@pytest.fixture
def desktop_server(desktop_peer_server: DesktopServer) -> Iterator[DesktopServer]:
    """The server with a name and an authority; what it logged meanwhile is shown when the test fails."""
    yield desktop_peer_server
    print(desktop_peer_server.log_tail())
