"""Services that keep a running server tidy: expired uploads, old archives, delivered messages.

What is deleted for its age is deleted only while the wall clock can be believed; see `wall_clock.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from parley.base import log as logs

if TYPE_CHECKING:
    from parley.app.contents import Contents
    from parley.app.wall_clock import WallClock
    from parley.base.clock import Clock
    from parley.base.config import Settings
    from parley.domain.ports import MessageLog
    from parley.domain.rooms.ports import RoomStore

log = logs.get(__name__)

_SECOND: Final = 1_000_000
_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S
_PIECE: Final = 500
"""Messages deleted in one transaction, so that messages of others wait some milliseconds only."""


class Upkeep:
    """What is done again and again. Each method is a service: it runs until it is cancelled.

    Args:
        settings: returns the settings in force.
        clock: for times and pauses.
        messages: the log.
        rooms: the archives of rooms.
        contents: the uploads.
        wall_clock: asked before something is deleted for its age.
    """

    def __init__(  # noqa: PLR0917 - the composition root alone makes one
        self,
        settings: Callable[[], Settings],
        clock: Clock,
        messages: MessageLog,
        rooms: RoomStore,
        contents: Contents,
        wall_clock: WallClock,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._messages = messages
        self._rooms = rooms
        self._contents = contents
        self._wall_clock = wall_clock

    async def sweep_uploads(self) -> None:
        """Delete expired and unfinished uploads every `upload.sweep_interval_s` seconds."""
        while True:
            await self.sweep_contents()
            await self._clock.sleep(self._settings().upload.sweep_interval_s)

    async def sweep_messages(self) -> None:
        """Delete messages that are too old or not wanted any longer, every hour."""
        while True:
            if await self._wall_clock.is_believed():
                purged = await self.purge_archives()
                delivered = await self.sweep_delivered()
                await self._rooms.sweep()
                if purged or delivered:
                    log.info("swept messages", expired=purged, delivered=delivered)
            await self._clock.sleep(_HOUR_S)

    async def sweep_contents(self) -> None:
        """Delete expired uploads and finish what a crash left unfinished; the latter alone after a jump."""
        is_believed = await self._wall_clock.is_believed()
        swept = await self._contents.sweeper.sweep(self._clock.now_us() if is_believed else None)
        if swept.expired or swept.contents:
            log.info("swept uploads", expired=swept.expired, contents=swept.contents)

    async def purge_archives(self) -> int:
        """Delete what is older than `archive.retention_days`; returns how many mailbox entries and rooms' messages."""
        days = self._settings().archive.retention_days
        if not days:
            return 0
        before = self._clock.now_us() - days * _DAY_S * _SECOND
        return await self._messages.purge(None, before) + await self._rooms.purge(before)

    async def sweep_delivered(self) -> int:
        """Delete delivered messages that no archive keeps; returns how many.

        One that is sent again is recognised by what is stored, so the latest stay for as long as a client may still
        resume its stream, and an hour at least.
        """
        spared_s = max(_HOUR_S, self._settings().limits.sm_resume_timeout_s)
        before = self._clock.now_us() - spared_s * _SECOND
        total = 0
        while True:
            count = await self._messages.sweep_delivered(_PIECE, before)
            total += count
            if count < _PIECE:
                return total
