"""What a server clears away, and when."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.app.calling import Cli

from parley.app.contents import Contents, open_contents
from parley.app.upkeep import Upkeep
from parley.app.wall_clock import WallClock
from parley.base.clock import VirtualClock
from parley.base.config import Settings
from parley.base.config.loading import parse
from parley.domain.uploads import Upload, UploadState
from parley.ops.metrics import Metrics
from parley.storage.memory.store import MemoryStorage

DAY_US = 24 * 3600 * 1_000_000


class RecordingRooms:
    """Archives of rooms that note what is purged; three messages are too old."""

    def __init__(self) -> None:
        self.purged: list[int] = []
        self.swept = 0

    async def purge(self, before: int) -> int:
        self.purged.append(before)
        return 3

    async def sweep(self) -> int:
        self.swept += 1
        return 0


class RecordingLog:
    """A message log that notes what is purged; each sweep finds what it was given."""

    def __init__(self, found: list[int]) -> None:
        self.purged: list[tuple[int | None, int]] = []
        self.swept: list[tuple[int, int | None]] = []
        self.found = found
        self.rooms = RecordingRooms()

    async def purge(self, account_id: int | None, before: int) -> int:
        self.purged.append((account_id, before))
        return 1

    async def sweep_delivered(self, limit: int, before: int | None = None) -> int:
        self.swept.append((limit, before))
        return self.found.pop(0)


def settings(tmp_path: Path, **sections: dict[str, object]) -> Settings:
    return parse({"domains": ["example.org"], **sections}, tmp_path)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as pool:
        yield pool


def upkeep(settings: Settings, clock: VirtualClock, log: RecordingLog, kept: Contents) -> Upkeep:
    path = settings.data_dir / "clock"
    path.parent.mkdir(exist_ok=True)
    wall_clock = WallClock(path, clock, clock.monotonic, "boot", lambda: settings.limits)
    return Upkeep(lambda: settings, clock, log, log.rooms, kept, wall_clock)  # type: ignore[arg-type]


def contents(tmp_path: Path, pool: ThreadPoolExecutor, storage: MemoryStorage, clock: VirtualClock) -> Contents:
    return open_contents(settings(tmp_path), storage.uploads, pool, clock, Metrics())


async def test_archives_are_purged_by_age(tmp_path, pool):
    clock, log = VirtualClock(), RecordingLog([])
    kept = contents(tmp_path, pool, MemoryStorage(), clock)
    for_ever = upkeep(settings(tmp_path), clock, log, kept)
    assert await for_ever.purge_archives() == 0
    assert log.purged == []
    month = upkeep(settings(tmp_path, archive={"retention_days": 30}), clock, log, kept)
    assert await month.purge_archives() == 1 + 3
    assert log.purged == [(None, clock.now_us() - 30 * DAY_US)]
    assert log.rooms.purged == [clock.now_us() - 30 * DAY_US]


async def test_delivered_messages_go_piece_by_piece_but_not_the_latest(tmp_path, pool):
    clock, log = VirtualClock(), RecordingLog([500, 500, 3])
    kept = contents(tmp_path, pool, MemoryStorage(), clock)
    resuming = settings(tmp_path, limits={"sm_resume_timeout_s": 7200})
    assert await upkeep(resuming, clock, log, kept).sweep_delivered() == 1003
    assert log.swept == [(500, clock.now_us() - 7_200_000_000)] * 3


async def test_after_a_jump_of_the_clock_nothing_goes_for_its_age(tmp_path, pool):
    clock, storage, log = VirtualClock(), MemoryStorage(), RecordingLog([0, 0])
    kept = contents(tmp_path, pool, storage, clock)
    account = await storage.accounts.add("alice@example.org", [], 0)
    expires_at = clock.now_us() + 90 * DAY_US
    upload = Upload("a" * 22, account.id, b"", b"", "", "", 4, 0, UploadState.OPEN, b"", 0, expires_at)
    await storage.uploads.add(upload, 2**40, 10)
    keeper = upkeep(settings(tmp_path, archive={"retention_days": 30}), clock, log, kept)

    async def hour() -> None:
        async with asyncio.TaskGroup() as group:
            service = group.create_task(keeper.sweep_messages())
            while not clock.sleepers:
                await asyncio.sleep(0)
            service.cancel()
        await keeper.sweep_contents()

    await hour()
    assert (len(log.purged), len(log.swept)) == (1, 1)
    clock.jump_wall(365 * 24 * 3600)
    await hour()
    assert (len(log.purged), len(log.swept)) == (1, 1)
    assert await storage.uploads.find(upload.id) is not None
    clock.jump_wall(-365 * 24 * 3600)
    await hour()
    assert (len(log.purged), len(log.swept)) == (2, 2)
    clock.advance(91 * 24 * 3600)
    await keeper.sweep_contents()
    assert await storage.uploads.find(upload.id) is None


async def test_contents_without_an_upload_go_and_others_stay(tmp_path, pool):
    clock, storage = VirtualClock(), MemoryStorage()
    kept = contents(tmp_path, pool, storage, clock)
    account = await storage.accounts.add("alice@example.org", [], 0)
    digests = []
    for content in (b"kept", b"orphan"):
        (tmp_path / "file").write_bytes(content)
        digests.append(hashlib.sha256(content).digest())
        await kept.blobs.put_file(digests[-1], str(tmp_path / "file"))
        (tmp_path / "file").unlink()
    upload = Upload("a" * 22, account.id, b"", b"", "", "", 4, 0, UploadState.OPEN, b"", 0, 2**62)
    await storage.uploads.add(upload, 2**40, 10)
    await storage.uploads.complete(upload.id, digests[0], 2**62)
    clock.jump_wall(100 * 365 * 24 * 3600)
    assert await kept.drop_unreferenced() == 1
    assert await kept.blobs.size(digests[0]) == 4
    assert await kept.blobs.size(digests[1]) is None


async def test_a_reload_reaches_everybody(tmp_path, pool):
    kept = contents(tmp_path, pool, MemoryStorage(), VirtualClock())
    limits = kept.limits
    changed = settings(tmp_path, upload={"max_size_bytes": 5000, "min_free_bytes": 7, "expire_after_days": 0})
    kept.reload(changed.upload)
    assert kept.limits is limits
    assert (limits.max_size_bytes, limits.expire_after_s, kept.partials.min_free_bytes) == (5000, 0, 7)


def test_the_files_of_a_removed_account_go_without_a_server_too(cli: Cli):
    cli("user", "add", "alice@example.org")
    name = hashlib.sha256(b"orphan").hexdigest()
    path = cli.data / "blobs" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"orphan")
    cli("user", "remove", "alice@example.org", "--yes")
    assert not path.exists()
