"""From the first byte of an upload to the stored content.

The row is the truth about how much has been received: bytes are synced first, then the row is advanced, then the
client is told. Bytes in the file behind the row's offset count for nothing. When all have come, the file is hashed,
linked into the blob store under its digest, the row completed, the file removed. After a crash between any two of these
steps the next request, or the sweep, does the rest again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol
from weakref import WeakValueDictionary

from parley.base.clock import Clock
from parley.domain.ports import BlobStore, UploadStore
from parley.domain.uploads import Upload, UploadState
from parley.edges.http.errors import Gone, Refusal, not_found
from parley.edges.http.holds import Holds
from parley.edges.http.slots import UploadLimits, is_capability
from parley.ops.metrics import Metrics
from parley.storage.partials import UPLOAD_ID, Hasher, Partial, Partials

BLOCK_BYTES = 256 * 1024
"""Pieces from the network are gathered to blocks of this size before they go to the disk."""

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""So much at most is sent again after the server was killed in mid-request."""

Pieces = Callable[[], Awaitable[bytes | None]]
"""Gives the next piece of a body, or None at its end; raises `Gone` when there will be none."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the body of one request must hash to; `refusal` is raised if it does not."""

    algorithm: str
    digest: bytes
    refusal: Refusal


class Interruptible(Protocol):
    """A request that can be told to stop reading its body."""

    def interrupt(self) -> None:
        """Make the reading end soon."""
        ...


class Uploads:
    """Receives, completes and ends uploads. Knows nothing of HTTP's headers.

    Args:
        rows: the uploads.
        blobs: where complete contents go.
        partials: where unfinished ones are.
        limits: bounds.
        clock: for expiry.
        metrics: counts the bytes.
        checkpoint_bytes: so often an unchecked body is synced and the row advanced.
    """

    def __init__(
        self,
        rows: UploadStore,
        blobs: BlobStore,
        partials: Partials,
        *,
        limits: UploadLimits,
        clock: Clock,
        metrics: Metrics,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
    ) -> None:
        self._rows = rows
        self._blobs = blobs
        self._partials = partials
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._checkpoint_bytes = checkpoint_bytes
        self._holds = Holds()
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def hold(self, upload: Upload, request: Interruptible, takes_over: bool) -> AbstractAsyncContextManager[None]:
        """Let only this request write to the upload; see `Holds.hold`."""
        return self._holds.hold(upload.id, request.interrupt, takes_over)

    async def find(self, upload_id: str, capability: str) -> Upload:
        """The upload whose put capability this is.

        Raises:
            Refusal: 404 when there is none, 410 when its time is over.
        """
        upload = await self._rows.find(upload_id) if UPLOAD_ID.fullmatch(upload_id) else None
        if upload is None or not is_capability(capability, upload.put_digest):
            raise not_found()
        is_complete = upload.state is UploadState.COMPLETE
        if self._clock.now_us() >= (upload.expires_at if is_complete else self._limits.open_deadline(upload)):
            raise Refusal(410, "expired")
        return upload

    async def current(self, upload_id: str) -> Upload:
        """The upload as it stands, finished if only the last steps were missing. To be called while holding it.

        Raises:
            Refusal: 404 when it has gone in the meantime.
        """
        upload = await self._rows.find(upload_id)
        if upload is None:
            raise not_found()
        if upload.state is UploadState.COMPLETE:
            return upload
        if upload.offset_bytes and await self._partials.size(upload_id) < upload.offset_bytes:
            # The file was lost or damaged from outside: what is not there cannot be counted.
            upload = await self._advance(upload, 0)
        return await self._finish(upload) if upload.offset_bytes == upload.size_bytes else upload

    async def restart(self, upload: Upload) -> Upload:
        """Go back to the first byte."""
        # The row first: a row that promised bytes which are gone would be worse than bytes without a row.
        return await self._advance(upload, 0) if upload.offset_bytes else upload

    async def receive(self, upload: Upload, pieces: Pieces, expected: Expected | None, is_bounded: bool) -> Upload:
        """Append a body to an open upload that is held, and complete it when it is all there.

        Args:
            upload: from `current`.
            pieces: the body.
            expected: when given, nothing of the body is kept unless all of it came and has this digest.
            is_bounded: whether the body's length is known to fit; then what came so far is recorded now and again.

        Returns:
            The upload as it stands, synced and recorded.

        Raises:
            Gone: the body was cut off; what came is kept for resuming unless a digest was `expected`.
            Refusal: 413 when there is more than was promised, or that of `expected`. Nothing of the body is kept.
            StorageUnavailable: what was recorded before stays.
        """
        partial = await self._partials.open(upload.id, upload.offset_bytes)
        try:
            if expected is not None:
                upload = await self._fill_checked(upload, partial, pieces, expected)
            else:
                upload = await self._fill(upload, partial, pieces, is_bounded)
        finally:
            await partial.close()
        return await self._finish(upload) if upload.offset_bytes == upload.size_bytes else upload

    async def is_same(self, upload: Upload, pieces: Pieces) -> bool:
        """Tell whether a body is the content of a complete upload; nothing is stored."""
        hasher = hashlib.sha256()
        async for block in _blocks(pieces):
            await asyncio.to_thread(hasher.update, block)
        return hmac.compare_digest(hasher.digest(), upload.digest)

    async def terminate(self, upload: Upload) -> None:
        """End an upload, complete or not, and delete its bytes."""
        await self._rows.remove(upload.id)
        await self._partials.remove(upload.id)
        if upload.state is UploadState.COMPLETE:
            await self.drop_content(upload.digest)

    async def drop_content(self, digest: bytes) -> bool:
        """Delete a content that no upload refers to; tell whether it was so."""
        async with self._lock(digest):
            if await self._rows.references(digest):
                return False
            await self._blobs.delete(digest)
            return True

    async def _fill(self, upload: Upload, partial: Partial, pieces: Pieces, is_bounded: bool) -> Upload:
        try:
            async for block in _blocks(pieces):
                await self._write(upload, partial, block, None)
                if is_bounded and partial.written - partial.kept >= self._checkpoint_bytes:
                    upload = await self._keep(upload, partial)
        except (Gone, asyncio.CancelledError):
            # tus 1.0, PATCH: as much of the received data as possible is to be stored.
            await self._keep(upload, partial)
            raise
        return await self._keep(upload, partial)

    async def _fill_checked(self, upload: Upload, partial: Partial, pieces: Pieces, expected: Expected) -> Upload:
        hasher = hashlib.new(expected.algorithm, usedforsecurity=False)
        async for block in _blocks(pieces):
            await self._write(upload, partial, block, hasher)
        if not hmac.compare_digest(hasher.digest(), expected.digest):
            raise expected.refusal
        return await self._keep(upload, partial)

    async def _write(self, upload: Upload, partial: Partial, block: bytes, hasher: Hasher | None) -> None:
        if partial.written + len(block) > upload.size_bytes:
            raise Refusal(413, "too-large")
        await partial.write(block, hasher)

    async def _keep(self, upload: Upload, partial: Partial) -> Upload:
        grown_bytes = partial.written - partial.kept
        if not grown_bytes:
            return upload
        await partial.sync()
        upload = await self._advance(upload, partial.written)
        partial.kept = partial.written
        self._metrics.uploaded(grown_bytes)
        return upload

    async def _advance(self, upload: Upload, offset_bytes: int) -> Upload:
        expires_at = self._limits.open_until(self._clock.now_us())
        await self._rows.advance(upload.id, offset_bytes, expires_at)
        return replace(upload, offset_bytes=offset_bytes, expires_at=expires_at)

    async def _finish(self, upload: Upload) -> Upload:
        digest = await self._partials.digest(upload.id)
        expires_at = self._limits.kept_until(self._clock.now_us())
        # Nobody drops the content between its arrival and the row that refers to it.
        async with self._lock(digest):
            await self._blobs.put_file(digest, str(self._partials.path(upload.id)))
            await self._rows.complete(upload.id, digest, expires_at)
        await self._partials.remove(upload.id)
        return replace(upload, state=UploadState.COMPLETE, digest=digest, expires_at=expires_at)

    def _lock(self, digest: bytes) -> asyncio.Lock:
        return self._locks.setdefault(digest, asyncio.Lock())


async def _blocks(pieces: Pieces) -> AsyncIterator[bytes]:
    """Gather pieces to blocks; what came before the body was cut off comes out as well."""
    gathered: list[bytes] = []
    size_bytes = 0
    cut: Gone | None = None
    while True:
        try:
            piece = await pieces()
        except Gone as error:
            cut, piece = error, None
        if piece is not None:
            gathered.append(piece)
            size_bytes += len(piece)
        if gathered and (piece is None or size_bytes >= BLOCK_BYTES):
            yield b"".join(gathered)
            gathered, size_bytes = [], 0
        if cut is not None:
            raise cut
        if piece is None:
            return
