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

    `put_digest` and `get_digest` are the SHA-256 (32 bytes) of the capabilities in the two addresses. `digest` is the
    content's SHA-256 once complete, empty before. `content_type` is empty when none was announced. Sizes in bytes,
    times in microseconds since the epoch; `offset_bytes` is what has been received and synced.
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


@dataclass(frozen=True, slots=True)
class Slot:
    """What a client gets to know of a slot: where to put the content, where all others get it.

    Both addresses are capabilities: who knows one may use it. `headers` are to be sent with the upload.
    """

    put_url: str
    get_url: str
    headers: tuple[tuple[str, str], ...] = ()
