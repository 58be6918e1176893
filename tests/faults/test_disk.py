"""The model of a disk has to find what a careless server does wrong."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from tests.faults.disk import Call, Disk, Inode, calls_of

ROOT = "/srv"
PLACES = itertools.count()


def hexed(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def opened(path: str) -> str:
    return f'7  openat(AT_FDCWD<{hexed("/")}>, "{hexed(path)}", O_RDWR|O_CREAT, 0600) = 3<{hexed(path)}>'


def written(path: str, data: str, position: int) -> str:
    return f'7  pwrite64(3<{hexed(path)}>, "{hexed(data)}", {len(data)}, {position}) = {len(data)}'


def synced(path: str) -> str:
    return f"7  fdatasync(3<{hexed(path)}>) = 0"


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    before = tmp_path / "before"
    before.mkdir()
    (before / "old").write_bytes(b"old bytes")
    return Disk(Path(ROOT), before)


def follow(disk: Disk, *lines: str) -> None:
    place = next(PLACES) * 100
    for call in calls_of(lines):
        disk.apply(replace(call, began=call.began + place, ended=call.ended + place))


def test_what_was_there_is_durable(disk: Disk) -> None:
    assert disk.file("old") == b"old bytes"


def test_unsynced_bytes_are_lost(disk: Disk) -> None:
    follow(disk, opened("/srv/old"), written("/srv/old", "NEW", 0))
    assert disk.file("old") == b"old bytes"
    follow(disk, synced("/srv/old"))
    assert disk.file("old") == b"NEW bytes"


def test_bytes_written_while_the_sync_ran_are_lost(disk: Disk) -> None:
    follow(
        disk,
        opened("/srv/old"),
        written("/srv/old", "one", 0),
        f"7  fdatasync(3<{hexed('/srv/old')}> <unfinished ...>",
        written("/srv/old", "two", 0).replace("7  ", "8  ", 1),
        "7  <... fdatasync resumed>) = 0",
    )
    assert disk.file("old") == b"one bytes"


def test_a_new_file_needs_a_sync_of_its_folder(disk: Disk) -> None:
    follow(disk, opened("/srv/new"), written("/srv/new", "here", 0), synced("/srv/new"))
    assert disk.file("new") is None
    follow(disk, synced("/srv"))
    assert disk.file("new") == b"here"


def test_a_link_shares_bytes_and_survives_the_first_name(disk: Disk, tmp_path: Path) -> None:
    follow(
        disk,
        f'7  mkdir("{hexed("/srv/d")}", 0700) = 0',
        synced("/srv"),
        f'7  link("{hexed("/srv/old")}", "{hexed("/srv/d/copy")}") = 0',
    )
    assert disk.file("d/copy") is None
    follow(disk, synced("/srv/d"), f'7  unlink("{hexed("/srv/old")}") = 0')
    assert disk.file("d/copy") == b"old bytes"
    disk.write_image(tmp_path / "image")
    assert (tmp_path / "image" / "d" / "copy").read_bytes() == b"old bytes"
    assert (tmp_path / "image" / "old").exists()


def test_truncation_is_undone_by_a_power_cut(disk: Disk) -> None:
    follow(disk, opened("/srv/old"), f"7  ftruncate(3<{hexed('/srv/old')}>, 3) = 0")
    assert disk.file("old") == b"old bytes"
    follow(disk, synced("/srv/old"))
    assert disk.file("old") == b"old"


def test_late_growth_is_undone_in_a_sync() -> None:
    inode = Inode(bytearray(b"ab"), b"ab")
    inode.write(5, 4, b"ef")
    inode.write(9, 6, b"gh")
    inode.sync(began=7)
    assert inode.synced == b"ab\0\0ef"
    inode.sync(began=20)
    assert inode.synced == b"ab\0\0efgh"


def test_calls_are_read() -> None:
    (sent,) = calls_of(
        ['9  writev(6<TCP:[127.0.0.1:99->127.0.0.1:4]>, [{iov_base="\\x78", iov_len=1}, {iov_base="\\x79"}], 2) = 2']
    )
    assert sent == Call("writev", sent.arguments, 2, 0, 0)
    assert (sent.strings, sent.sent_from, sent.target) == ([b"x", b"y"], (99, 4), "")
    assert not list(calls_of(["9  fsync(3) = -1 EIO (Input/output error)", "9  +++ exited with 0 +++"]))
