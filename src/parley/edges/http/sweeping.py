"""Clearing away: expired uploads, left-over bytes, contents that nothing refers to."""

from __future__ import annotations

from dataclasses import dataclass

from parley.domain.ports import BlobStore, UploadStore
from parley.domain.uploads import Upload, UploadState
from parley.edges.http.errors import Refusal
from parley.edges.http.receiving import Uploads
from parley.edges.http.slots import UploadLimits
from parley.storage.partials import Partials

ORPHAN_INTERVAL_S = 24 * 3600
"""Orphans come only from crashes and removed accounts, and looking for them lists all contents."""

_BATCH = 100
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: how many uploads expired, were finished late, files and contents deleted."""

    expired: int = 0
    finished: int = 0
    files: int = 0
    contents: int = 0


class Sweeper:
    """Sweeps; `app` calls it every few minutes.

    Args:
        rows: the uploads.
        blobs: the complete contents.
        partials: the unfinished ones.
        uploads: who receives; nothing that a request holds is swept.
        limits: for the grace of orphans.
    """

    def __init__(
        self, rows: UploadStore, blobs: BlobStore, partials: Partials, uploads: Uploads, limits: UploadLimits
    ) -> None:
        self._rows = rows
        self._blobs = blobs
        self._partials = partials
        self._uploads = uploads
        self._limits = limits
        self._orphans_due_at = 0

    def interrupt(self) -> None:
        """Nothing: the sweep lets go of an upload soon by itself."""

    async def sweep(self, now: int | None) -> Swept:
        """Delete what is over at `now`, and finish what a crash left unfinished.

        Args:
            now: microseconds since the epoch; None when the time is not known, then nothing goes for its age.

        Raises:
            StorageUnavailable: the rest is left to the next sweep.
        """
        expired = await self._sweep_expired(now) if now is not None else 0
        finished, files = await self._sweep_files()
        contents = 0
        if now is not None and now >= self._orphans_due_at:
            contents = await self._sweep_orphans(now)
            self._orphans_due_at = now + ORPHAN_INTERVAL_S * _SECOND
        return Swept(expired, finished, files, contents)

    async def _sweep_expired(self, now: int) -> int:
        count = 0
        while uploads := await self._rows.expired(now, _BATCH):
            ended = [await self._end(upload) for upload in uploads]
            count += sum(ended)
            if not all(ended):
                # What is held now comes up again at once: it waits for the next sweep.
                break
        return count

    async def _end(self, upload: Upload) -> bool:
        try:
            async with self._uploads.hold(upload, self, takes_over=False):
                await self._uploads.terminate(upload)
        except Refusal:
            return False
        return True

    async def _sweep_files(self) -> tuple[int, int]:
        finished = files = 0
        for upload_id in await self._partials.ids():
            upload = await self._rows.find(upload_id)
            if upload is None or upload.state is UploadState.COMPLETE:
                await self._partials.remove(upload_id)
                files += 1
            elif upload.offset_bytes == upload.size_bytes:
                finished += await self._finish(upload)
        return finished, files

    async def _finish(self, upload: Upload) -> bool:
        try:
            async with self._uploads.hold(upload, self, takes_over=False):
                return (await self._uploads.current(upload.id)).state is UploadState.COMPLETE
        except Refusal:
            return False

    async def _sweep_orphans(self, now: int) -> int:
        count = 0
        for digest in await self._blobs.digests(now - self._limits.orphan_grace_s * _SECOND):
            count += await self._uploads.drop_content(digest)
        return count
