"""The rows of uploads in memory."""

from __future__ import annotations

from dataclasses import replace

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.uploads import Upload, UploadState
from parley.storage.memory.state import Tables


class MemoryUploads:
    """The rows of uploads."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, upload: Upload, quota_bytes: int, max_open: int) -> None:
        """Promise a slot."""
        if upload.id in self._tables.uploads:
            raise Conflict("upload-exists")
        if await self.used_bytes(upload.account_id) + upload.size_bytes > quota_bytes:
            raise LimitReached("quota-exceeded")
        mine = [other for other in self._tables.uploads.values() if other.account_id == upload.account_id]
        if sum(other.state is UploadState.OPEN for other in mine) >= max_open:
            raise LimitReached("too-many-uploads")
        self._tables.account(upload.account_id)
        self._tables.uploads[upload.id] = upload

    async def find(self, upload_id: str) -> Upload | None:
        """One upload by its id."""
        return self._tables.uploads.get(upload_id)

    async def advance(self, upload_id: str, offset_bytes: int, expires_at: int) -> None:
        """Record that bytes up to `offset_bytes` are synced."""
        upload = self._existing(upload_id)
        if upload.state is UploadState.COMPLETE:
            raise NotFound("upload-not-found")
        self._tables.uploads[upload_id] = replace(upload, offset_bytes=offset_bytes, expires_at=expires_at)

    async def complete(self, upload_id: str, digest: bytes, expires_at: int) -> None:
        """The content lies in the blob store under `digest`."""
        upload = self._existing(upload_id)
        self._tables.uploads[upload_id] = replace(
            upload,
            state=UploadState.COMPLETE,
            digest=digest,
            expires_at=expires_at,
            offset_bytes=upload.size_bytes,
        )

    async def remove(self, upload_id: str) -> None:
        """Forget the slot."""
        self._tables.uploads.pop(upload_id, None)

    async def used_bytes(self, account_id: int) -> int:
        """Sum of the sizes of the account's uploads, open ones included."""
        return sum(upload.size_bytes for upload in self._tables.uploads.values() if upload.account_id == account_id)

    async def expired(self, now: int, limit: int) -> list[Upload]:
        """Uploads of any state whose time is over, the oldest first."""
        over = [upload for upload in self._tables.uploads.values() if upload.expires_at <= now]
        return sorted(over, key=lambda upload: (upload.expires_at, upload.id))[:limit]

    async def references(self, digest: bytes) -> int:
        """How many complete uploads share a content."""
        uploads = self._tables.uploads.values()
        return sum(upload.digest == digest and upload.state is UploadState.COMPLETE for upload in uploads)

    async def count(self, state: UploadState) -> int:
        """How many uploads are in a state."""
        return sum(upload.state is state for upload in self._tables.uploads.values())

    def _existing(self, upload_id: str) -> Upload:
        found = self._tables.uploads.get(upload_id)
        if found is None:
            raise NotFound("upload-not-found")
        return found
