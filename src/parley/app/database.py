"""Where accounts, messages and all else that lasts is kept, by the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.storage.sqlite.inbox import WriterLimits
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.base.config import Settings
    from parley.storage.sqlite.store import CommitObserver


def open_storage(settings: Settings, clock: Clock, on_commit: CommitObserver | None = None) -> SqliteStorage:
    """The database of the settings: made when there is none, never migrated without being asked to."""
    limits = settings.limits
    options = StorageOptions(
        is_migrated=not settings.database_path.exists(),
        has_text_index=settings.archive.enabled and settings.archive.full_text,
        queued_reads=limits.storage_queue_reads,
        writer=WriterLimits(queued_items=limits.storage_queue_items, queued_bytes=limits.storage_queue_bytes),
    )
    return SqliteStorage(settings.database_path, clock, options, on_commit)
