"""How a command gets its answer: from the running server if there is one, else from the data itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from parley.app import data_folder
from parley.app.contents import open_contents
from parley.app.data_folder import DataFolder
from parley.app.database import open_storage
from parley.app.errors import DataInUse
from parley.app.nobody import NobodyLive
from parley.app.operations import Operations
from parley.app.requests import encode
from parley.base.clock import SystemClock
from parley.edges.admin.client import AdminClient
from parley.edges.admin.errors import NotListening
from parley.ops.metrics import Metrics

if TYPE_CHECKING:
    from parley.app.requests import Document, Request
    from parley.base.config import Settings


def ask(settings: Settings, request: Request) -> Document:
    """Return the answer to a request.

    Raises:
        Refusal, Unwilling, DomainError: the request is refused.
        DataInUse: a process that does not answer holds the data.
        DataUnusable, StorageError: the data cannot be used.
    """
    try:
        return _ask_server(settings, request)
    except NotListening:
        pass
    try:
        return asyncio.run(_ask_data(settings, request))
    except DataInUse:
        # A server that was starting when the first attempt was made listens by now.
        try:
            return _ask_server(settings, request)
        except NotListening:
            pass
        raise


@asynccontextmanager
async def operations_on_data(settings: Settings) -> AsyncIterator[Operations]:
    """Operations on the data themselves, which nobody else may use meanwhile."""
    clock = SystemClock()
    with DataFolder(settings.data_dir), ThreadPoolExecutor(1, "files") as pool:
        async with open_storage(settings, clock) as storage:
            contents = open_contents(settings, storage.uploads, pool, clock, Metrics())
            yield Operations(storage, clock, settings.domains, NobodyLive(contents, storage.rosters, storage.rooms))


def _ask_server(settings: Settings, request: Request) -> Document:
    with AdminClient(settings.data_dir / data_folder.SOCKET) as client:
        return client.ask(encode(request))


async def _ask_data(settings: Settings, request: Request) -> Document:
    async with operations_on_data(settings) as operations:
        return await operations.answer(request)
