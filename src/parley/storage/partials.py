"""The bytes of unfinished uploads: one file each, synced before anything is said about them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

from parley.domain.errors import StorageFull
from parley.storage.disk import Disk, sync_path, write_all

UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
"""What the id of an upload looks like; nothing else ever becomes a file's name."""


class Hasher(Protocol):
    """An object of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Take in more bytes."""
        ...


class Partials:
    """The folder of unfinished uploads.

    Args:
        folder: created when missing.
        pool: threads for what blocks.
        min_free_bytes: room that is left to the rest of the machine.

    Raises:
        OSError: when the folder cannot be created.
    """

    def __init__(self, folder: Path, pool: Executor, min_free_bytes: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sync_path(folder.parent)
        self._folder = folder
        self._disk = Disk(pool)
        self.min_free_bytes = min_free_bytes

    def path(self, upload_id: str) -> Path:
        """The file of an upload.

        Raises:
            ValueError: for what is no id of an upload.
        """
        if UPLOAD_ID.fullmatch(upload_id) is None:
            raise ValueError("not the id of an upload")
        return self._folder / upload_id

    async def check_room(self, size_bytes: int) -> None:
        """Raise `StorageFull` when so many bytes more would leave less than `min_free_bytes`."""
        usage = await self._disk.run(shutil.disk_usage, self._folder)
        if usage.free - size_bytes < self.min_free_bytes:
            raise StorageFull("storage-full", "the disk has too little room")

    async def size(self, upload_id: str) -> int:
        """How many bytes the file holds, synced or not; 0 when there is none."""
        try:
            return (await self._disk.run(os.stat, self.path(upload_id))).st_size
        except FileNotFoundError:
            return 0

    async def open(self, upload_id: str, offset_bytes: int) -> Partial:
        """Open the file to write on at `offset_bytes`; what lies behind it goes.

        At 0 a new file takes the place of the old one, whose blocks may belong to a stored content by now.
        """
        descriptor = await self._disk.run(_open, self.path(upload_id), offset_bytes)
        return Partial(descriptor, offset_bytes, self._disk)

    async def digest(self, upload_id: str) -> bytes:
        """SHA-256 of the whole file.

        Raises:
            FileNotFoundError: there is none.
        """
        return await self._disk.run(_digest, self.path(upload_id))

    async def remove(self, upload_id: str) -> None:
        """Delete the file; absent is fine."""
        path = self.path(upload_id)
        await self._disk.run(lambda: path.unlink(missing_ok=True))

    async def ids(self) -> list[str]:
        """The uploads that have a file."""
        names = await self._disk.run(os.listdir, self._folder)
        return [name for name in names if UPLOAD_ID.fullmatch(name)]


class Partial:
    """An open file of an upload: `written` bytes are in it, of which `kept` are synced and on record."""

    def __init__(self, descriptor: int, offset_bytes: int, disk: Disk) -> None:
        self.written = offset_bytes
        self.kept = offset_bytes
        self._descriptor = descriptor
        self._disk = disk

    async def write(self, data: bytes, hasher: Hasher | None = None) -> None:
        """Write behind what has been written, and feed the same bytes to `hasher`."""
        await self._disk.run(_write, self._descriptor, data, self.written, hasher)
        self.written += len(data)

    async def sync(self) -> None:
        """Make what has been written survive a power cut."""
        await self._disk.run(os.fsync, self._descriptor)

    async def close(self) -> None:
        """Drop what lies behind `kept`, and close the file."""
        await self._disk.run(_close, self._descriptor, self.kept)


def _open(path: Path, offset_bytes: int) -> int:
    if offset_bytes == 0:
        path.unlink(missing_ok=True)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, offset_bytes)
        if is_new:
            sync_path(path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _write(descriptor: int, data: bytes, offset: int, hasher: Hasher | None) -> None:
    write_all(descriptor, data, offset)
    if hasher is not None:
        hasher.update(data)


def _close(descriptor: int, size_bytes: int) -> None:
    try:
        if os.fstat(descriptor).st_size > size_bytes:
            os.ftruncate(descriptor, size_bytes)
    finally:
        os.close(descriptor)
