import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import pytest

from parley.domain.errors import NotFound, StorageFull, StorageUnavailable
from parley.storage.blobs import PIECE_BYTES, LocalBlobs
from parley.storage.disk import Disk, disk_error
from parley.storage.partials import Partials

CONTENT = os.urandom(PIECE_BYTES * 2 + 17)
DIGEST = hashlib.sha256(CONTENT).digest()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


@pytest.fixture
def blobs(tmp_path: Path, pool: ThreadPoolExecutor) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs", pool)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


async def read(blobs: LocalBlobs, start: int, end: int) -> list[bytes]:
    async with aclosing(blobs.read(DIGEST, start, end)) as pieces:
        return [piece async for piece in pieces]


async def test_put_and_read(blobs: LocalBlobs, source: Path):
    assert await blobs.size(DIGEST) is None
    await blobs.put_file(DIGEST, str(source))
    source.unlink()
    assert await blobs.size(DIGEST) == len(CONTENT)
    assert await read(blobs, 0, len(CONTENT)) == [CONTENT[:PIECE_BYTES], CONTENT[PIECE_BYTES:-17], CONTENT[-17:]]
    assert await read(blobs, 5, 6) == [CONTENT[5:6]]
    assert await read(blobs, 5, 5) == []


async def test_put_again_changes_nothing_but_the_age(blobs: LocalBlobs, source: Path, tmp_path: Path):
    await blobs.put_file(DIGEST, str(source))
    (stored,) = (path for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    os.utime(stored, (1000, 1000))
    inode = stored.stat().st_ino
    assert list(await blobs.digests(2_000_000_000)) == [DIGEST]
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    await blobs.put_file(DIGEST, str(other))
    assert stored.stat().st_ino == inode
    assert list(await blobs.digests(2_000_000_000)) == []


async def test_delete(blobs: LocalBlobs, source: Path):
    await blobs.delete(DIGEST)
    await blobs.put_file(DIGEST, str(source))
    await blobs.delete(DIGEST)
    assert await blobs.size(DIGEST) is None
    with pytest.raises(NotFound) as refusal:
        await read(blobs, 0, 1)
    assert refusal.value.code == "blob-not-found"


async def test_digests_are_only_contents(blobs: LocalBlobs, source: Path, tmp_path: Path):
    await blobs.put_file(DIGEST, str(source))
    (tmp_path / "blobs" / "ab" / "stray").write_text("x")
    assert list(await blobs.digests(1 << 55)) == [DIGEST]


async def test_another_file_system_gets_a_copy(pool: ThreadPoolExecutor, source: Path):
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == source.stat().st_dev:
        pytest.skip("no second file system")
    folder = shared_memory / f"parley-test-{os.getpid()}"
    try:
        blobs = LocalBlobs(folder, pool)
        await blobs.put_file(DIGEST, str(source))
        assert await read(blobs, 0, 10) == [CONTENT[:10]]
        assert len([path for path in folder.rglob("*") if path.is_file()]) == 1
    finally:
        shutil.rmtree(folder)


async def test_a_content_that_is_too_short_is_told(blobs: LocalBlobs, source: Path):
    await blobs.put_file(DIGEST, str(source))
    with pytest.raises(StorageUnavailable):
        await read(blobs, len(CONTENT) - 1, len(CONTENT) + 1)


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, StorageFull, "storage-full"),
        (errno.EDQUOT, StorageFull, "storage-full"),
        (errno.EIO, StorageUnavailable, "storage-unavailable"),
    ],
)
async def test_errors_of_the_disk(pool: ThreadPoolExecutor, number: int, kind: type, code: str):
    def fail() -> None:
        raise OSError(number, "no")

    with pytest.raises(kind) as failure:
        await Disk(pool).run(fail)
    assert failure.value.code == code
    assert type(disk_error(OSError(number, "no"))) is kind


async def test_a_full_device(pool: ThreadPoolExecutor):
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(StorageFull):
            await Disk(pool).run(os.pwrite, descriptor, b"x", 0)
    finally:
        os.close(descriptor)


async def test_a_cancelled_task_waits_for_its_thread(pool: ThreadPoolExecutor):
    import asyncio

    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        may_end.wait(10)
        ended.set()

    task = asyncio.ensure_future(Disk(pool).run(work))
    while not started.is_set():
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


@pytest.mark.parametrize("upload_id", ["", "..", "a/b" * 8, "a" * 15, "a" * 65, "é" * 20, "a" * 20 + "\n"])
async def test_only_ids_become_file_names(tmp_path: Path, pool: ThreadPoolExecutor, upload_id: str):
    with pytest.raises(ValueError, match="not the id"):
        Partials(tmp_path, pool).path(upload_id)


async def test_a_new_start_never_writes_to_what_was_stored(blobs: LocalBlobs, tmp_path: Path, pool: ThreadPoolExecutor):
    partials = Partials(tmp_path / "partial", pool)
    upload_id = "u" * 22
    partials.path(upload_id).write_bytes(CONTENT)
    await blobs.put_file(DIGEST, str(partials.path(upload_id)))
    partial = await partials.open(upload_id, 0)
    await partial.write(b"something else")
    await partial.close()
    assert await read(blobs, 0, 10) == [CONTENT[:10]]


SYNCED = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from parley.storage.blobs import LocalBlobs

async def main():
    with ThreadPoolExecutor(1) as pool:
        await LocalBlobs(Path(sys.argv[1]), pool).put_file(bytes(32), sys.argv[2])

asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_content_is_synced_before_and_its_name_after_the_link(tmp_path: Path, source: Path):
    trace, folder = tmp_path / "trace", tmp_path / "blobs"
    subprocess.run(
        [
            "strace",
            "-f",
            "-y",
            "-e",
            "trace=fsync,link,linkat",
            "-o",
            str(trace),
            sys.executable,
            "-c",
            SYNCED,
            str(folder),
            str(source),
        ],
        check=True,
        timeout=60,
    )
    calls = [line.split(" ", 1)[1].strip() for line in trace.read_text().splitlines() if " = 0" in line]
    steps = [
        ("fsync", f"<{folder}>"),
        ("fsync", f"<{tmp_path}>"),
        ("fsync", f"<{source}>"),
        ("link", f"{folder}/00/{'0' * 64}"),
        ("fsync", f"<{folder}/00>"),
    ]
    mine = [call for call in calls if str(tmp_path) in call and f'"{folder}"' not in call]
    assert [
        (name, what) for (name, what), call in zip(steps, mine, strict=True) if call.startswith(name) and what in call
    ] == steps
