"""`UploadStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.uploads import Upload, UploadState
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ADD = sql("uploads.add")
_FIND = sql("uploads.find")
_ADVANCE = sql("uploads.advance")
_COMPLETE = sql("uploads.complete")
_REMOVE = sql("uploads.remove")
_OPEN = sql("uploads.open")
_USED_BYTES = sql("uploads.used_bytes")
_EXPIRED = sql("uploads.expired")
_REFERENCES = sql("uploads.references")
_COUNT = sql("uploads.count")


class SqliteUploads:
    """The rows of uploads."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, upload: Upload, quota_bytes: int, max_open: int) -> None:
        """Promise a slot; see the port. Raises NotFound("account-not-found"), Conflict("upload-exists")."""

        def change(connection: sqlite3.Connection) -> None:
            if connection.execute(_FIND, (upload.id,)).fetchone() is not None:
                raise Conflict("upload-exists")
            (used,) = connection.execute(_USED_BYTES, (upload.account_id,)).fetchone()
            if used + upload.size_bytes > quota_bytes:
                raise LimitReached("quota-exceeded")
            (unfinished,) = connection.execute(_OPEN, (upload.account_id,)).fetchone()
            if unfinished >= max_open:
                raise LimitReached("too-many-uploads")
            connection.execute(_ADD, _upload_row(upload))

        await self._writer.run(change)

    async def find(self, upload_id: str) -> Upload | None:
        """One upload by its id."""
        row = await self._readers.run(lambda connection: connection.execute(_FIND, (upload_id,)).fetchone())
        return None if row is None else _upload_from(row)

    async def advance(self, upload_id: str, offset_bytes: int, expires_at: int) -> None:
        """Record that bytes up to `offset_bytes` are synced; raises NotFound("upload-not-found")."""
        await self._update(_ADVANCE, (offset_bytes, expires_at, upload_id))

    async def complete(self, upload_id: str, digest: bytes, expires_at: int) -> None:
        """The content lies in the blob store under `digest`; raises NotFound("upload-not-found")."""
        await self._update(_COMPLETE, (digest, expires_at, upload_id))

    async def remove(self, upload_id: str) -> None:
        """Forget the slot; an unknown one is fine."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_REMOVE, (upload_id,))

        await self._writer.run(change)

    async def used_bytes(self, account_id: int) -> int:
        """Sum of the sizes of the account's uploads, open ones included."""
        return await self._number(_USED_BYTES, account_id)

    async def expired(self, now: int, limit: int) -> list[Upload]:
        """Uploads of any state whose time is over (`expires_at` at or before `now`), the oldest first."""
        rows = await self._readers.run(lambda connection: connection.execute(_EXPIRED, (now, limit)).fetchall())
        return [_upload_from(row) for row in rows]

    async def references(self, digest: bytes) -> int:
        """How many complete uploads share a content."""
        return await self._number(_REFERENCES, digest)

    async def count(self, state: UploadState) -> int:
        """How many uploads are in a state."""
        return await self._number(_COUNT, state.value)

    async def _update(self, statement: str, values: Row) -> None:
        def change(connection: sqlite3.Connection) -> None:
            if connection.execute(statement, values).rowcount == 0:
                raise NotFound("upload-not-found")

        await self._writer.run(change)

    async def _number(self, statement: str, value: int | bytes | str) -> int:
        def query(connection: sqlite3.Connection) -> int:
            return int(connection.execute(statement, (value,)).fetchone()[0])

        return await self._readers.run(query)


def _upload_row(upload: Upload) -> Row:
    return (
        upload.id,
        upload.account_id,
        upload.put_digest,
        upload.get_digest,
        upload.filename,
        upload.content_type,
        upload.size_bytes,
        upload.offset_bytes,
        upload.state.value,
        upload.digest,
        upload.created_at,
        upload.expires_at,
    )


def _upload_from(row: Row) -> Upload:
    return Upload(
        id=row[0],
        account_id=row[1],
        put_digest=row[2],
        get_digest=row[3],
        filename=row[4],
        content_type=row[5],
        size_bytes=row[6],
        offset_bytes=row[7],
        state=UploadState(row[8]),
        digest=row[9],
        created_at=row[10],
        expires_at=row[11],
    )
