"""The journal of what outlives the process, but not the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.storage.journal import FileJournal

SIZE_BYTES = 4096


def journal(folder: Path, boot: str = "this boot", size_bytes: int = SIZE_BYTES) -> FileJournal:
    return FileJournal(folder, boot, lambda: 100, size_bytes)


def written(folder: Path, *payloads: bytes) -> FileJournal:
    made = journal(folder)
    made.read(0)
    made.begin([])
    assert all(made.write(payload) for payload in payloads)
    return made


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert journal(tmp_path).read(0) == []


@pytest.mark.parametrize("is_closed", [True, False])
def test_what_was_written_is_read_by_the_next_process(tmp_path: Path, is_closed: bool) -> None:
    made = written(tmp_path, b"one", b"two")
    if is_closed:
        made.close()
    assert journal(tmp_path).read(0) == [b"one", b"two"]


def test_another_boot_finds_nothing(tmp_path: Path) -> None:
    written(tmp_path, b"one")
    assert journal(tmp_path, "another boot").read(0) == []


def test_what_is_too_old_is_nothing(tmp_path: Path) -> None:
    written(tmp_path, b"one")
    assert journal(tmp_path).read(101) == []
    assert journal(tmp_path).read(100) == [b"one"]


def test_a_beginning_replaces_what_was_before(tmp_path: Path) -> None:
    made = written(tmp_path, b"one", b"two")
    made.begin([b"three"])
    made.write(b"four")
    assert journal(tmp_path).read(0) == [b"three", b"four"]
    again = journal(tmp_path)
    again.read(0)
    again.begin([b"five"])
    assert journal(tmp_path).read(0) == [b"five"]


def test_what_lies_behind_from_an_earlier_generation_is_not_read(tmp_path: Path) -> None:
    made = written(tmp_path, *[b"%3d" % number for number in range(100)])
    made.begin([])
    # The first file again, where the frames of the first generation lie at the same places.
    made.begin([])
    made.write(b"new")
    assert journal(tmp_path).read(0) == [b"new"]


def test_a_frame_that_was_cut_ends_the_reading(tmp_path: Path) -> None:
    written(tmp_path, b"one", b"two", b"three")
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    place = data.index(b"two")
    data[place] ^= 1
    path.write_bytes(data)
    assert journal(tmp_path).read(0) == [b"one"]


def test_a_beginning_that_was_cut_leaves_the_one_before(tmp_path: Path) -> None:
    made = written(tmp_path, b"one")
    made.begin([b"two"])
    newest = tmp_path / "sessions-0.journal"
    data = bytearray(newest.read_bytes())
    data[:10] = bytes(10)
    newest.write_bytes(data)
    assert journal(tmp_path).read(0) == [b"one"]


def test_a_full_file_says_so_and_a_large_beginning_makes_it_grow(tmp_path: Path) -> None:
    made = written(tmp_path, b"x" * 3000)
    assert not made.write(b"y" * 2000)
    assert journal(tmp_path).read(0) == [b"x" * 3000]
    made.begin([b"z" * 10_000])
    assert made.write(b"y" * 2000)
    assert journal(tmp_path).read(0) == [b"z" * 10_000, b"y" * 2000]


def test_nobody_else_may_read_it_and_removing_leaves_nothing(tmp_path: Path) -> None:
    made = written(tmp_path, b"one")
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    made.remove()
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=600))
def test_any_file_is_read_without_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("journal")
    (folder / "sessions-1.journal").write_bytes(data)
    assert journal(folder).read(0) == []
