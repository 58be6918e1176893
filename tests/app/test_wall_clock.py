"""Jumps of the wall clock: while the server runs, and over its restarts."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from parley.app.wall_clock import Boot, WallClock
from parley.base.clock import VirtualClock
from parley.base.config import LimitSettings

HOUR_S = 3600
DAY_S = 24 * HOUR_S
LIMITS = LimitSettings(max_clock_jump_s=HOUR_S, max_clock_gap_days=30)


def watch(path: Path, clock: VirtualClock, boot_id: str = "this boot") -> WallClock:
    """The watch of a process that has just started."""
    return WallClock(path, clock, clock.monotonic, boot_id, lambda: LIMITS)


async def test_time_that_passes_is_believed(tmp_path):
    clock = VirtualClock()
    seen = watch(tmp_path / "clock", clock)
    for _ in range(3):
        assert await seen.is_believed()
        clock.advance(400 * DAY_S)
    clock.jump_wall(HOUR_S - 1)
    assert await seen.is_believed()
    clock.jump_wall(1 - HOUR_S)
    assert await seen.is_believed()


@pytest.mark.parametrize("jump_s", [HOUR_S + 1, 365 * DAY_S, -HOUR_S - 1, -50 * 365 * DAY_S])
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_jump_is_not_until_the_clock_is_back(tmp_path, jump_s, is_restarted):
    clock = VirtualClock()
    seen = watch(tmp_path / "clock", clock)
    assert await seen.is_believed()
    clock.jump_wall(jump_s)
    for _ in range(2):
        if is_restarted:
            seen = watch(tmp_path / "clock", clock)
        assert not await seen.is_believed()
        clock.advance(DAY_S)
    clock.jump_wall(-jump_s)
    assert await seen.is_believed()


async def test_whoever_deletes_the_file_accepts_the_time(tmp_path):
    clock = VirtualClock()
    seen = watch(tmp_path / "clock", clock)
    assert await seen.is_believed()
    clock.jump_wall(365 * DAY_S)
    assert not await seen.is_believed()
    (tmp_path / "clock").unlink()
    assert await seen.is_believed()
    assert await watch(tmp_path / "clock", clock).is_believed()
    clock.jump_wall(365 * DAY_S)
    assert not await seen.is_believed()


@pytest.mark.parametrize(
    ("off_s", "is_believed"), [(0, True), (29 * DAY_S, True), (31 * DAY_S, False), (-2 * HOUR_S, False)]
)
async def test_after_another_boot_only_what_cannot_be_is_a_jump(tmp_path, off_s, is_believed):
    assert await watch(tmp_path / "clock", VirtualClock(monotonic=DAY_S)).is_believed()
    booted = VirtualClock(monotonic=10)
    booted.jump_wall(off_s)
    assert await watch(tmp_path / "clock", booted, "next boot").is_believed() is is_believed


@pytest.mark.parametrize("jump_s", [20 * DAY_S, -20 * DAY_S])
async def test_a_jump_stays_open_over_a_boot_until_the_file_is_deleted(tmp_path, jump_s):
    """By the clock alone it could have been off for so long."""
    clock = VirtualClock(monotonic=DAY_S)
    seen = watch(tmp_path / "clock", clock)
    assert await seen.is_believed()
    clock.jump_wall(jump_s)
    assert not await seen.is_believed()
    for boot_id in ("next boot", "the one after"):
        booted = VirtualClock(monotonic=10)
        booted.jump_wall(max(jump_s, HOUR_S))
        seen = watch(tmp_path / "clock", booted, boot_id)
        assert not await seen.is_believed()
        assert not await seen.is_believed()
    (tmp_path / "clock").unlink()
    assert await seen.is_believed()
    assert await watch(tmp_path / "clock", booted, "the last boot").is_believed()


async def test_a_jump_that_was_undone_before_a_boot_is_forgotten(tmp_path):
    clock = VirtualClock(monotonic=DAY_S)
    seen = watch(tmp_path / "clock", clock)
    for jump_s in (20 * DAY_S, -20 * DAY_S):
        await seen.is_believed()
        clock.jump_wall(jump_s)
    assert await seen.is_believed()
    assert await watch(tmp_path / "clock", VirtualClock(monotonic=10), "next boot").is_believed()


async def test_what_an_older_version_noted_counts(tmp_path):
    clock = VirtualClock()
    (tmp_path / "clock").write_text(f'{{"wall_us": {clock.now_us()}, "since_boot_s": 0.0, "boot_id": "this boot"}}')
    clock.jump_wall(2 * HOUR_S)
    assert not await watch(tmp_path / "clock", clock).is_believed()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"wall_us": "x"}', b"\xff"])
async def test_a_file_that_says_nothing_is_replaced(tmp_path, content):
    path = tmp_path / "clock"
    path.write_bytes(content)
    clock = VirtualClock()
    assert await watch(path, clock).is_believed()
    clock.jump_wall(365 * DAY_S)
    assert not await watch(path, clock).is_believed()


async def test_a_jump_is_seen_also_when_nothing_can_be_noted(tmp_path):
    clock = VirtualClock()
    seen = watch(tmp_path / "missing" / "clock", clock)
    assert await seen.is_believed()
    clock.jump_wall(365 * DAY_S)
    assert not await seen.is_believed()


async def test_a_jump_is_logged_once_an_hour(tmp_path, caplog):
    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]

    clock = VirtualClock()
    seen = watch(tmp_path / "clock", clock)
    await seen.is_believed()
    clock.jump_wall(2 * DAY_S)
    for _ in range(2):
        assert not await seen.is_believed()
    assert len(said()) == 1
    assert "the clock has jumped" in said()[0]
    clock.advance(HOUR_S)
    assert not await seen.is_believed()
    assert len(said()) == 2


def test_time_since_boot_goes_on():
    boot = Boot()
    assert boot.id == Boot().id
    assert boot.since_s() <= boot.since_s()
