"""The parts that keep uploaded contents, put together for a server and for commands that run without one."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.app import data_folder
from parley.app.errors import DataUnusable
from parley.edges.http.receiving import Uploads
from parley.edges.http.slots import UploadLimits
from parley.edges.http.sweeping import Sweeper
from parley.storage.blobs import LocalBlobs
from parley.storage.partials import Partials

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.base.config import Settings, UploadSettings
    from parley.domain.ports import UploadStore
    from parley.ops.metrics import Metrics

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


@dataclass(frozen=True, slots=True)
class Contents:
    """Complete contents, unfinished uploads, who receives them and who clears them away."""

    limits: UploadLimits
    blobs: LocalBlobs
    partials: Partials
    uploads: Uploads
    sweeper: Sweeper
    clock: Clock

    def reload(self, settings: UploadSettings) -> None:
        """Go on with other limits."""
        self.limits.become(upload_limits(settings))
        self.partials.min_free_bytes = settings.min_free_bytes

    async def drop_unreferenced(self) -> int:
        """Delete the contents that no upload refers to; returns how many. Raises StorageUnavailable."""
        count = 0
        for digest in await self.blobs.digests(self.clock.now_us()):
            count += await self.uploads.drop_content(digest)
        return count


def open_contents(settings: Settings, rows: UploadStore, pool: Executor, clock: Clock, metrics: Metrics) -> Contents:
    """Put the parts together.

    Args:
        settings: where the data folder is, and the limits.
        rows: the uploads.
        pool: threads for what blocks.
        clock: for expiry.
        metrics: counts bytes.

    Raises:
        DataUnusable: a folder cannot be created.
    """
    limits = upload_limits(settings.upload)
    try:
        blobs = LocalBlobs(settings.data_dir / data_folder.BLOBS, pool)
        partials = Partials(settings.data_dir / data_folder.PARTIALS, pool, settings.upload.min_free_bytes)
    except OSError as error:
        raise DataUnusable(str(settings.data_dir), error.strerror or str(error)) from error
    uploads = Uploads(rows, blobs, partials, limits=limits, clock=clock, metrics=metrics)
    return Contents(limits, blobs, partials, uploads, Sweeper(rows, blobs, partials, uploads, limits), clock)


def upload_limits(settings: UploadSettings) -> UploadLimits:
    """The limits that the settings ask for."""
    return UploadLimits(
        max_size_bytes=settings.max_size_bytes,
        quota_bytes=settings.quota_bytes,
        max_open=settings.max_incomplete,
        slot_lifetime_s=settings.slot_lifetime_s,
        incomplete_expire_s=settings.incomplete_expire_hours * _HOUR_S,
        expire_after_s=settings.expire_after_days * _DAY_S,
    )
