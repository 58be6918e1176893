"""Uploads: a slot is promised, filled in pieces or at once, and becomes an immutable blob under its digest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UploadState(StrEnum):
    """Where a slot stands."""

    OPEN = "open"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Upload:
    """One slot.

    `put_token` and `get_token` are capabilities, stored as SHA-256 digests (32 bytes). `digest` is the content's
    SHA-256 once complete. Sizes in bytes, times in microseconds since the epoch.
    """

    id: str
    account_id: int
    put_digest: bytes
    get_digest: bytes
    filename: str
    content_type: str
    size_bytes: int
    offset_bytes: int
    state: UploadState
    digest: bytes
    created_at: int
    expires_at: int
