"""Whether the wall clock can be believed, before anything is deleted for its age.

Ages of stored things have only the wall clock to go by, and one wrong hour of it would delete for good what should have
stayed for years. So the server notes when it saw the clock last, in `clock` in the data folder, together with the time
since the machine's boot, which no one can set. While the two agree about how much time has passed, the clock is
believed. After a jump it is not, also over restarts, until it has come back to where it should be or an operator has
deleted the file. After another boot nothing tells how long the machine was off: then only a gap that is too large to
be believed counts as a jump. But a jump that was open before that boot stays open, for it could look like such a gap;
so it is noted in the file as well, and then only the operator ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parley.base import log as logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from parley.base.clock import Clock
    from parley.base.config import LimitSettings

log = logs.get(__name__)

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SECOND: Final = 1_000_000
_DAY_S: Final = 24 * 3600
_REMIND_S: Final = 3600
_MOST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Sighting:
    """The wall clock when it was last believed.

    Attributes:
        wall_us: microseconds since the epoch.
        since_boot_s: seconds since the boot.
        boot_id: names that boot.
        jump_s: how far the clock has jumped since then, in seconds; 0 while it is believed.
    """

    wall_us: int
    since_boot_s: float
    boot_id: str
    jump_s: float = 0.0


class Boot:
    """The machine's time since its boot, and the name of that boot."""

    def __init__(self) -> None:
        # Time that the machine slept counts, where the system can tell it.
        self._clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        try:
            self.id = _BOOT_ID.read_text().strip()
        except OSError:
            # No boot of another process has this name: between two of them, time cannot be measured.
            self.id = secrets.token_hex(16)

    def since_s(self) -> float:
        """Seconds since the boot; never decreases, and cannot be set."""
        return time.clock_gettime(self._clock)


class WallClock:
    """Watches the wall clock.

    Args:
        path: the file of the last sighting.
        clock: the wall clock, and when to remind of a jump.
        since_boot_s: seconds since the machine's boot.
        boot_id: names the boot.
        limits: returns the settings in force: what is no jump.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        since_boot_s: Callable[[], float],
        boot_id: str,
        limits: Callable[[], LimitSettings],
    ) -> None:
        self._path = path
        self._clock = clock
        self._since_boot_s = since_boot_s
        self._boot_id = boot_id
        self._limits = limits
        self._seen: Sighting | None = None
        self._is_noted = False
        self._remind_at = 0.0
        self._lock = asyncio.Lock()

    async def is_believed(self) -> bool:
        """Look at the clock, note it if it has gone on as it should, and tell whether it has.

        A jump is logged with the code `clock-jumped`, again every hour for as long as it lasts.
        """
        async with self._lock:
            return await self._look()

    async def _look(self) -> bool:
        await self._recall()
        now = Sighting(self._clock.now_us(), self._since_boot_s(), self._boot_id)
        jump_s = self._jump_s(now)
        if jump_s:
            self._complain(jump_s)
            if self._seen is not None and not self._seen.jump_s:
                await self._note(replace(self._seen, jump_s=jump_s))
            return False
        self._remind_at = 0.0
        await self._note(now)
        return True

    async def _note(self, now: Sighting) -> None:
        self._seen = now
        try:
            await asyncio.to_thread(_write, self._path, now)
            self._is_noted = True
        except OSError as error:
            # It goes on from memory: only a jump over the next restart would be overlooked.
            log.warning("the time cannot be noted", code="clock-unnoted", reason=error.strerror or str(error))

    async def _recall(self) -> None:
        try:
            stored = await asyncio.to_thread(_read, self._path)
        except OSError as error:
            log.warning("the time noted cannot be read", code="clock-unnoted", reason=error.strerror or str(error))
            return
        if stored is None and self._is_noted:
            # An operator has deleted the file: the clock is right as it is now.
            self._seen, self._is_noted = None, False
        elif stored is not None and self._seen is None:
            self._seen, self._is_noted = stored, True

    def _jump_s(self, now: Sighting) -> float:
        """How far the clock is ahead of (or, negative, behind) what is believed; 0 when it is believed."""
        seen, limits = self._seen, self._limits()
        if seen is None:
            return 0.0
        if seen.jump_s and seen.boot_id != now.boot_id:
            return seen.jump_s
        wall_s = (now.wall_us - seen.wall_us) / _SECOND
        if seen.boot_id == now.boot_id:
            jump_s = wall_s - (now.since_boot_s - seen.since_boot_s)
            return jump_s if abs(jump_s) > limits.max_clock_jump_s else 0.0
        is_gap = -limits.max_clock_jump_s <= wall_s <= limits.max_clock_gap_days * _DAY_S
        return 0.0 if is_gap else wall_s

    def _complain(self, jump_s: float) -> None:
        now = self._clock.monotonic()
        if self._remind_at and now < self._remind_at:
            return
        self._remind_at = now + _REMIND_S
        log.error(
            "the clock has jumped: nothing is deleted for its age until the clock is set right, or, if it is right,"
            " the file is deleted",
            code="clock-jumped",
            ahead_s=round(jump_s),
            file=str(self._path),
        )


def _read(path: Path) -> Sighting | None:
    """The sighting in a file; None when there is none, or the file is no such thing. Raises OSError."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
        jump_s = float(document.get("jump_s", 0))
        return Sighting(int(document["wall_us"]), float(document["since_boot_s"]), str(document["boot_id"]), jump_s)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(path: Path, sighting: Sighting) -> None:
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, json.dumps(asdict(sighting)).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(path)
