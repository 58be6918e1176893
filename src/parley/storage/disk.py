"""File operations off the event loop, with the domain's errors."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import ParamSpec, TypeVar

from parley.domain.errors import StorageFull, StorageUnavailable

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

P = ParamSpec("P")
T = TypeVar("T")


class Disk:
    """Runs what blocks in the threads of `pool`."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in a thread.

        Once begun it is waited for even by a cancelled task: nobody closes a file that a thread still writes to.

        Raises:
            FileNotFoundError: as it is; who asks for a file knows what its absence means.
            StorageFull: there is no room.
            StorageUnavailable: any other OSError.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))
        try:
            return await _finished(future)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise disk_error(error) from error


async def _finished(future: asyncio.Future[T]) -> T:
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        future.exception()
        raise cancelled
    return future.result()


def disk_error(error: OSError) -> StorageUnavailable:
    """Return the domain's error for a failed file operation: `StorageFull` when there is no room."""
    if error.errno in _NO_ROOM:
        return StorageFull("storage-full", str(error))
    return StorageUnavailable("storage-unavailable", str(error))


def sync_path(path: str | Path) -> None:
    """Make a file's bytes, or a folder's entries, survive a power cut. Blocks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`. Blocks."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]
