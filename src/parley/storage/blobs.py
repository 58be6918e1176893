"""Contents on a local disk, each one file under its SHA-256.

Looking up, listing and deleting go through obstore, as they will for an object store. Storing and reading do not:
obstore's local store does not sync what it writes, and copies the bytes once more; a hard link is atomic, creates only
if absent, and copies nothing.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path

import obstore
from obstore.store import LocalStore

from parley.base import ids
from parley.domain.errors import NotFound, StorageUnavailable
from parley.storage.disk import Disk, sync_path

PIECE_BYTES = 256 * 1024
"""What one read takes from the disk at most."""

_NAME = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})")
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK})


class LocalBlobs:
    """A `BlobStore` in a folder of this machine.

    Args:
        folder: created when missing; subfolders are named after the digests' first byte.
        pool: threads for what blocks.

    Raises:
        OSError: when the folder cannot be created.
    """

    def __init__(self, folder: Path, pool: Executor) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # All subfolders at once, so that storing a content never has to make one last.
        for first in range(256):
            (folder / f"{first:02x}").mkdir(exist_ok=True)
        sync_path(folder)
        sync_path(folder.parent)
        self._folder = folder
        self._disk = Disk(pool)
        self._objects = LocalStore(folder)

    async def put_file(self, digest: bytes, path: str) -> None:
        """Store the file's bytes durably under `digest`; renews the age of a content that is there already.

        The file at `path` stays, and may share its blocks with what is stored: it must not be written to any more.
        """
        await self._disk.run(_place, path, self._path(digest))

    async def size(self, digest: bytes) -> int | None:
        """Size in bytes, or None if absent."""
        try:
            meta = await obstore.head_async(self._objects, _name(digest))
        except FileNotFoundError:
            return None
        except obstore.exceptions.BaseError as error:
            raise StorageUnavailable("storage-unavailable", str(error)) from error
        return meta["size"]

    async def read(self, digest: bytes, start: int, end: int) -> AsyncGenerator[bytes]:
        """Bytes [start, end) in pieces of at most `PIECE_BYTES`, by positioned reads of a file opened once."""
        try:
            descriptor = await self._disk.run(os.open, self._path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("blob-not-found") from None
        try:
            while start < end:
                piece = await self._disk.run(os.pread, descriptor, min(PIECE_BYTES, end - start), start)
                if not piece:
                    raise StorageUnavailable("storage-unavailable", "a stored content is shorter than it should be")
                start += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    async def delete(self, digest: bytes) -> None:
        """Delete; absent is fine."""
        try:
            await obstore.delete_async(self._objects, _name(digest))
        except FileNotFoundError:
            return
        except obstore.exceptions.BaseError as error:
            raise StorageUnavailable("storage-unavailable", str(error)) from error

    async def digests(self, before: int) -> Iterable[bytes]:
        """All digests held that were last put before `before` (microseconds since the epoch)."""
        limit = datetime.fromtimestamp(before / 1_000_000, UTC)
        found: list[bytes] = []
        try:
            async for chunk in obstore.list(self._objects):
                names = (_NAME.fullmatch(meta["path"]) for meta in chunk if meta["last_modified"] < limit)
                found += [bytes.fromhex(name[1]) for name in names if name is not None]
        except obstore.exceptions.BaseError as error:
            raise StorageUnavailable("storage-unavailable", str(error)) from error
        return found

    def _path(self, digest: bytes) -> Path:
        return self._folder / _name(digest)


def _name(digest: bytes) -> str:
    text = digest.hex()
    return f"{text[:2]}/{text}"


def _place(source: str, target: Path) -> None:
    sync_path(source)
    try:
        os.link(source, target)
    except FileExistsError:
        # Whoever stored it may have been stopped before the folder's sync, so this one syncs again.
        os.utime(target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _copy(source, target)
    sync_path(target.parent)


def _copy(source: str, target: Path) -> None:
    # The name is none that `digests` lists, and stays behind only when the process is killed here.
    part = target.with_name(f"{target.name}.{ids.token(8)}")
    try:
        shutil.copyfile(source, part)
        sync_path(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
