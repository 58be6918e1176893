"""Upload slots (XEP-0363): promises, and the capabilities in their addresses.

    {public_url}/upload/{id}/{put capability}/{file name}
    {public_url}/blob/{id}/{get capability}/{file name}

A capability has 192 random bits and is stored only as its SHA-256: who reads the database cannot use it, and neither of
the two tells anything about the other. The file name is for people; only id and capability count.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, fields
from urllib.parse import quote

from parley.base import ids
from parley.base.clock import Clock
from parley.domain.errors import LimitReached, Refused
from parley.domain.ports import UploadStore
from parley.domain.uploads import Slot, Upload, UploadState
from parley.protocols.http import media
from parley.storage.partials import Partials

CAPABILITY_BYTES = 24
NEVER = 2**62
"""The time, in microseconds, at which what is kept for ever expires."""

_SECOND = 1_000_000


@dataclass(slots=True)
class UploadLimits:
    """Bounds of uploads. One object serves all that need them, so that `become` changes them everywhere at once.

    Attributes:
        max_size_bytes: of one content.
        quota_bytes: of all contents of an account together, promised ones included.
        max_open: most unfinished uploads of an account.
        slot_lifetime_s: from the request of a slot to its first byte.
        incomplete_expire_s: how long an unfinished upload may stand still.
        expire_after_s: how long a content is kept; 0 for ever.
        orphan_grace_s: how long a content that no upload refers to is left alone.
    """

    max_size_bytes: int = 256 * 1024 * 1024
    quota_bytes: int = 2048 * 1024 * 1024
    max_open: int = 20
    slot_lifetime_s: int = 3600
    incomplete_expire_s: int = 24 * 3600
    expire_after_s: int = 90 * 24 * 3600
    orphan_grace_s: int = 24 * 3600

    def become(self, other: UploadLimits) -> None:
        """Take over the bounds of `other`."""
        for field in fields(self):
            setattr(self, field.name, getattr(other, field.name))

    def open_until(self, now: int) -> int:
        """When an upload that grew at `now` expires unless it grows again. Microseconds."""
        return now + max(self.incomplete_expire_s, self.slot_lifetime_s) * _SECOND

    def kept_until(self, now: int) -> int:
        """When a content that was complete at `now` expires. Microseconds."""
        return now + self.expire_after_s * _SECOND if self.expire_after_s else NEVER

    def open_deadline(self, upload: Upload) -> int:
        """When nothing more can be uploaded to an open slot unless it grows before. Microseconds."""
        if upload.offset_bytes:
            return upload.expires_at
        return min(upload.expires_at, upload.created_at + self.slot_lifetime_s * _SECOND)


class Slots:
    """Answers the XMPP edge: an `UploadSlots`.

    Args:
        rows: where slots are stored.
        partials: asked for room on the disk.
        public_url: what the addresses start with, without a final slash.
        limits: bounds.
        clock: for the times of a slot.
        new_token: makes a capability of so many random bytes.
    """

    def __init__(
        self,
        rows: UploadStore,
        partials: Partials,
        *,
        public_url: str,
        limits: UploadLimits,
        clock: Clock,
        new_token: Callable[[int], str] = ids.token,
    ) -> None:
        self._rows = rows
        self._partials = partials
        self._public_url = public_url
        self._limits = limits
        self._clock = clock
        self._new_token = new_token

    async def request(self, account_id: int, filename: str, content_type: str, size_bytes: int) -> Slot:
        """Promise a slot for exactly `size_bytes`; see `UploadSlots.request` for the errors."""
        if size_bytes < 1:
            raise Refused("bad-upload-request", "a content has at least one byte")
        if size_bytes > self._limits.max_size_bytes:
            raise LimitReached("file-too-large")
        await self._partials.check_room(size_bytes)
        upload_id, put_token, get_token = (self._new_token(size) for size in (16, CAPABILITY_BYTES, CAPABILITY_BYTES))
        now = self._clock.now_us()
        name = media.safe_filename(filename)
        upload = Upload(
            id=upload_id,
            account_id=account_id,
            put_digest=capability_digest(put_token),
            get_digest=capability_digest(get_token),
            filename=name,
            content_type=media.essence(content_type) or "",
            size_bytes=size_bytes,
            offset_bytes=0,
            state=UploadState.OPEN,
            digest=b"",
            created_at=now,
            expires_at=self._limits.open_until(now),
        )
        await self._rows.add(upload, self._limits.quota_bytes, self._limits.max_open)
        ending = quote(name, safe="")
        return Slot(
            put_url=f"{self._public_url}/upload/{upload_id}/{put_token}/{ending}",
            get_url=f"{self._public_url}/blob/{upload_id}/{get_token}/{ending}",
        )


def capability_digest(capability: str) -> bytes:
    """What is stored of a capability. It is random, so that one round of SHA-256 is as good as any other hash."""
    return hashlib.sha256(capability.encode("utf-8", "surrogatepass")).digest()


def is_capability(capability: str, digest: bytes) -> bool:
    """Tell in constant time whether the capability is the one whose digest is stored."""
    return hmac.compare_digest(capability_digest(capability), digest)
