"""What was acknowledged is on the disk: by the order of system calls, after `kill -9`, and with a disk that fails."""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from parley.domain.messages import ArchiveQuery
from parley.storage.sqlite.store import SqliteStorage

from .people import answer, append, between, two_people
from .sqlite_files import PAGE_BYTES, opened

CHILD = Path(__file__).with_name("appending_child.py")
SOURCE = Path(__file__).parents[2] / "src"
KILLS = 5


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: its name, the file, and when it began and ended, as line numbers of the trace."""

    name: str
    file: str
    text: str
    began: int
    ended: int


def _command(path: Path, acks: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(CHILD), str(path), str(acks), *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE)}


def _acknowledged(acks: Path) -> list[bytes]:
    """Ids that were acknowledged; a last line that was cut by the kill does not count."""
    return [line.strip() for line in acks.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


async def _check_all_there(path: Path, acknowledged: list[bytes]) -> int:
    """Each acknowledged message is in the log once, in order. Returns how many are there."""
    async with opened(path) as storage:
        (account,) = await storage.accounts.all()
        found: list[str] = []
        last = None
        while True:
            page = await storage.messages.page(ArchiveQuery(account.id, after_id=last, limit=5000, counted=None))
            found += [stored.id for stored in page.messages]
            if page.is_complete:
                break
            last = found[-1]
        assert len(found) == len(set(found)) == page.total
        wanted = [line.decode() for line in acknowledged]
        # Acknowledged in the order of the log, none missing, none twice; what was not acknowledged may be there.
        places = {identity: place for place, identity in enumerate(found)}
        assert [identity for identity in wanted if identity not in places] == []
        assert [places[identity] for identity in wanted] == sorted({places[identity] for identity in wanted})
    await SqliteStorage.verify(path)
    return len(found)


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path, acks = tmp_path / "parley.db", tmp_path / "acks"
    acks.touch()
    chance = random.Random(7)
    for _ in range(KILLS):
        before = acks.stat().st_size
        with subprocess.Popen(_command(path, acks), env=_environment()) as child:
            deadline = time.monotonic() + 30
            # The kill falls somewhere behind the first acknowledgements, so that there is something to lose.
            while acks.stat().st_size == before and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.3))
            child.send_signal(signal.SIGKILL)
            assert child.wait(10) == -signal.SIGKILL
        _cut_torn_line(acks)
        await _check_all_there(path, _acknowledged(acks))
    assert len(_acknowledged(acks)) > KILLS


async def test_a_disk_that_refuses_to_write_is_told_and_heals(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        await append(storage, between(alice, bob))
        allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
        log_bytes = path.with_name("parley.db-wal").stat().st_size
        # Python ignores SIGXFSZ, so a write behind this size fails with EFBIG, as it would with EDQUOT.
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes + 3 * PAGE_BYTES, allowed[1]))
        try:
            big = between(alice, bob, content=b"x" * 20 * PAGE_BYTES)
            answers = await asyncio.gather(answer(storage, big), answer(storage, between(alice, bob)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
        assert [getattr(result, "code", "stored") for result in answers] == ["storage-io-error"] * 2
        assert storage.trouble == "storage-io-error"
        assert (await storage.messages.page(ArchiveQuery(bob))).total == 1
        await append(storage, big)
        assert storage.healthy
    async with opened(path) as storage:
        assert (await storage.messages.page(ArchiveQuery(bob))).total == 2
    await SqliteStorage.verify(path)


def _cut_torn_line(acks: Path) -> None:
    data = acks.read_bytes()
    acks.write_bytes(data[: data.rfind(b"\n") + 1])


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
async def test_nothing_is_acknowledged_before_its_sync_has_returned(tmp_path: Path) -> None:
    path, acks, trace = tmp_path / "parley.db", tmp_path / "acks", tmp_path / "trace"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-q", "-s", "4096", "-o", str(trace)),
            *("-e", "trace=write,pwrite64,fsync,fdatasync,openat"),
            *_command(path, acks, "400"),
        ],
        env=_environment(),
        check=True,
        timeout=120,
        stderr=subprocess.PIPE,
    )
    calls = list(_calls(trace.read_text("utf-8", "replace").splitlines()))
    written = [call for call in calls if call.file == f"{path}-wal" and call.name == "pwrite64"]
    synced = [call for call in calls if call.file == f"{path}-wal" and call.name in ("fdatasync", "fsync")]
    acked = [call for call in calls if call.file == str(acks) and call.name == "write"]
    assert len(written) > 10
    assert len(acked) > 2
    for ack in acked:
        before = [sync for sync in synced if sync.ended < ack.began]
        assert before, "acknowledged with no sync at all"
        # The sync that covers an acknowledgement: every write to the log that had ended before the sync began. A
        # later batch may be half written while this one is acknowledged, so only the content tells which is whose.
        covered = {seq for write in written if write.ended < before[-1].began for seq in _markers(write)}
        assert covered >= set(_markers(ack))
    assert sum(len(_markers(ack)) for ack in acked) == 400
    _check_names_synced(calls, path, acked[0])


def _check_names_synced(calls: list[Call], path: Path, first_ack: Call) -> None:
    """The names of the new files are durable: their directory was synced after each came into being."""
    for name in (str(path), f"{path}-wal"):
        created = next(
            call for call in calls if call.name == "openat" and f'"{name}"' in call.text and "O_CREAT" in call.text
        )
        synced = [call for call in calls if call.name in ("fsync", "fdatasync") and call.file == str(path.parent)]
        assert any(created.ended < call.began and call.ended < first_ack.began for call in synced), name


_LINE = re.compile(r"^(\d+)\s+(.*)$")
_FILE = re.compile(r"^\w+\(\d+<([^>]*)>")
_MARKER = re.compile(r"ack-(\d{6})")


def _calls(lines: list[str]) -> Iterator[Call]:
    """The calls of a trace; one that another thread interrupted has two lines."""
    unfinished: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        thread, text = match.groups()
        began = number
        if text.endswith("<unfinished ...>"):
            unfinished[thread] = (number, text)
            continue
        if text.startswith("<... "):
            began, text = unfinished.pop(thread)
        file = _FILE.match(text)
        yield Call(text.partition("(")[0], file.group(1) if file else "", text, began, number)


def _markers(call: Call) -> list[int]:
    return [int(marker) for marker in _MARKER.findall(call.text)]
