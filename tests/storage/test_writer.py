"""The writer: what shares a transaction, what is refused, what a failure leaves behind."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from parley.domain.contacts import Contact
from parley.domain.errors import NotFound, StorageFull, StorageUnavailable
from parley.domain.messages import Appended, ArchiveQuery
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.store import SqliteStorage

from .people import ALICE, BOB, CAROL, answer, append, between, entry, message, two_people
from .sqlite_files import PAGE_BYTES, filled, opened, raw

Answer = Appended | StorageUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parley.db"


def _codes(answers: list[Answer]) -> list[str]:
    return [result.code if isinstance(result, StorageUnavailable) else "" for result in answers]


async def _run_raw(storage: SqliteStorage, statement: str) -> None:
    """Execute something on the writer's own connection."""

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(statement)

    await storage._writer.run(change)


async def test_one_turn_is_one_transaction(path: Path) -> None:
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        before = storage.stats.commits
        results = await asyncio.gather(
            answer(storage, between(alice, bob)),
            storage.rosters.put(alice, Contact(BOB), 10),
            answer(storage, between(alice, bob)),
            storage.rosters.put(bob, Contact(ALICE), 10),
        )
        assert results[1] == results[3] == 1
        assert storage.stats.commits == before + 1
        assert storage.stats.last is not None
        assert (storage.stats.last.messages, storage.stats.last.changes, storage.stats.queued) == (2, 2, 0)


async def test_what_fails_alone_takes_nobody_along(path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE account SET created_at = 77")
        raise RuntimeError("a defect")

    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        results = await asyncio.gather(
            answer(storage, between(alice, bob)),
            storage.rosters.put(99, Contact(BOB), 10),
            storage._writer.run(half),
            storage.rosters.put(alice, Contact(BOB), 10),
            _run_raw(storage, "INSERT INTO account (address, created_at) VALUES ('alice@example.org', 1)"),
            answer(storage, between(alice, bob)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [
            Appended,
            NotFound,
            RuntimeError,
            int,
            sqlite3.IntegrityError,
            Appended,
        ]
        assert {account.created_at for account in await storage.accounts.all()} == {5}
        assert (await storage.messages.page(ArchiveQuery(bob))).total == 2
        assert storage.healthy


async def test_an_odd_message_does_not_harm_its_neighbours(path: Path) -> None:
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        first = between(alice, bob)
        answers: list[Answer] = []
        for new in (
            first,
            between(alice, bob, id=first.id),
            message(entry(99, BOB), entry(alice, BOB)),
            between(alice, bob),
        ):
            storage.messages.append(new, answers.append)
        await storage.flush()
        assert _codes(answers) == ["", "storage-defect", "", ""]
        assert (await storage.messages.page(ArchiveQuery(alice))).total == 3
        assert (await storage.messages.page(ArchiveQuery(bob))).total == 2


async def test_a_callback_that_fails_keeps_nobody_from_hearing(path: Path) -> None:
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        answers: list[Answer] = []

        def failing(_: Answer) -> None:
            raise RuntimeError("a defect of the caller")

        storage.messages.append(between(alice, bob), failing)
        storage.messages.append(between(alice, bob), answers.append)
        await storage.flush()
        assert _codes(answers) == [""]


@pytest.mark.parametrize("limits", [{"queued_items": 3}, {"queued_bytes": 3 * (512 + len(b"<message/>"))}])
async def test_a_full_queue_refuses_in_order(path: Path, limits: dict[str, int]) -> None:
    alice, bob = await filled(path, 0)
    async with opened(path, **limits) as storage:
        answers: list[Answer] = []
        for _ in range(5):
            storage.messages.append(between(alice, bob), answers.append)
        with pytest.raises(StorageUnavailable) as refused:
            await storage.rosters.put(alice, Contact(BOB), 10)
        assert refused.value.code == "storage-overloaded"
        while len(answers) < 5:
            await asyncio.sleep(0)
        assert _codes(answers) == ["", "", "", "storage-overloaded", "storage-overloaded"]
        assert await storage.rosters.put(alice, Contact(BOB), 10) == 1
        assert (await storage.messages.page(ArchiveQuery(bob))).total == 3
        assert storage.stats.queued == 0


async def test_a_small_batch_limit_keeps_the_order(path: Path) -> None:
    alice, bob = await filled(path, 0)
    async with opened(path, batch_items=3) as storage:
        new = [between(alice, bob, at=number) for number in range(20)]
        results = await append(storage, *new)
        assert [result.id for result in results] == [made.id for made in new]
        assert [result.seq for result in results] == sorted(result.seq for result in results)


async def test_closing_writes_what_waits_and_refuses_what_comes(path: Path) -> None:
    alice, bob = await filled(path, 0)
    answers: list[Answer] = []
    late: list[Answer] = []
    storage = opened(path)
    await storage.__aenter__()
    for number in range(30):
        storage.messages.append(between(alice, bob, at=number), answers.append)
    storage.messages.delivered(bob, 7)
    await storage.__aexit__(None, None, None)
    assert _codes(answers) == [""] * 30
    storage.messages.append(between(alice, bob), late.append)
    storage.messages.delivered(bob, 8)
    assert late == []
    await asyncio.sleep(0)
    assert _codes(late) == ["storage-closed"]
    for call in (storage.rosters.put(alice, Contact(BOB), 10), storage.rosters.load(alice)):
        with pytest.raises(StorageUnavailable) as refused:
            await call
        assert refused.value.code == "storage-closed"
    await storage.__aexit__(None, None, None)
    assert sorted(file.name for file in path.parent.iterdir()) == ["parley.db"]
    async with opened(path) as again:
        assert (await again.messages.page(ArchiveQuery(bob))).total == 30
        assert len(await again.messages.pending(bob, 0, 100)) == 23


async def test_a_cursor_alone_is_written_in_time(path: Path) -> None:
    alice, bob = await filled(path, 5)
    async with opened(path, cursor_interval_s=0.01) as storage:
        before = storage.stats.commits
        storage.messages.delivered(bob, 3)
        storage.messages.delivered(bob, 2)
        async with asyncio.timeout(10):
            while storage.stats.commits == before:
                await asyncio.sleep(0)
        storage.messages.delivered(alice, 4)
    connection = raw(path)
    assert connection.execute("SELECT * FROM delivery_cursor ORDER BY account_id").fetchall() == [(alice, 4), (bob, 3)]
    connection.close()


async def test_a_full_disk_stores_nothing_of_the_batch_and_heals(path: Path) -> None:
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        await append(storage, between(alice, bob))
        connection = raw(path)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.close()
        await _run_raw(storage, f"PRAGMA max_page_count = {pages + 2}")
        answers: list[Answer] = []
        for _ in range(3):
            storage.messages.append(between(alice, bob, content=b"x" * 10 * PAGE_BYTES), answers.append)
        storage.messages.delivered(bob, 1)
        with pytest.raises(StorageFull) as refused:
            await storage.rosters.put(alice, Contact(BOB), 10)
        assert refused.value.code == "storage-full"
        assert all(isinstance(result, StorageFull) for result in answers)
        assert _codes(answers) == ["storage-full"] * 3
        assert (storage.healthy, storage.trouble, storage.stats.failures) == (False, "storage-full", 1)
        assert (await storage.rosters.load(alice)).version == 0
        assert (await storage.messages.page(ArchiveQuery(bob))).total == 1

        await _run_raw(storage, "PRAGMA max_page_count = 1000000")
        assert storage.healthy
        big = between(alice, bob, content=b"x" * 10 * PAGE_BYTES, sender=CAROL)
        await append(storage, big)
        page = await storage.messages.page(ArchiveQuery(bob))
        assert (page.total, page.messages[1].content, page.messages[1].sender) == (2, big.content, CAROL)
        assert [found.id for found in await storage.messages.pending(bob, 0, 10)] == [big.id]
    await SqliteStorage.verify(path)


async def test_that_the_disk_has_room_again_is_found_without_a_write(path: Path) -> None:
    async with opened(path, retry_interval_s=0.01) as storage:
        alice, bob = await two_people(storage)
        connection = raw(path)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.close()
        await _run_raw(storage, f"PRAGMA max_page_count = {pages + 2}")
        refused = await answer(storage, between(alice, bob, content=b"x" * 10 * PAGE_BYTES))
        assert isinstance(refused, StorageFull)
        assert storage.trouble == "storage-full"
        async with asyncio.timeout(30):
            while not storage.healthy:
                await asyncio.sleep(0)
        assert storage.stats.failures == 1
        commits = storage.stats.commits
        await storage.flush()
        assert storage.stats.commits == commits + 1


async def test_while_commits_fail_one_is_tried_again_and_again(path: Path) -> None:
    async with opened(path, retry_interval_s=0.01) as storage:
        await two_people(storage)
        await _run_raw(storage, "PRAGMA query_only = ON")
        async with asyncio.timeout(30):
            with pytest.raises(StorageUnavailable):
                await storage.rosters.put(1, Contact(BOB), 10)
            while storage.stats.failures < 3:
                await asyncio.sleep(0)
        assert not storage.healthy


async def test_a_file_damaged_while_it_runs_is_told_and_stays_told(path: Path) -> None:
    alice, bob = await filled(path, 2000)
    async with opened(path) as storage:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(PAGE_BYTES)
            file.write(b"\xff" * (size - PAGE_BYTES))
        with pytest.raises(StorageUnavailable) as refused:
            await storage.messages.page(ArchiveQuery(bob))
        assert refused.value.code == "storage-corrupt"
        assert storage.trouble == "storage-corrupt"
        answers = await asyncio.gather(*[answer(storage, between(alice, bob)) for _ in range(3)])
        assert set(_codes(list(answers))) == {"storage-corrupt"}
        with pytest.raises(StorageUnavailable):
            await storage.rosters.put(alice, Contact(BOB), 10)
        assert (storage.healthy, storage.trouble) == (False, "storage-corrupt")


async def test_damage_found_by_a_thread_that_opens_the_file_is_told_too(path: Path) -> None:
    await filled(path, 2000)
    found: list[str] = []
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(b"\xff" * (path.stat().st_size - PAGE_BYTES))
    readers = Readers(path, 1, 1, lambda: found.append("corrupt"))
    with pytest.raises(StorageUnavailable) as refused:
        await readers.run(lambda connection: connection.execute("SELECT 1").fetchone())
    assert (refused.value.code, found) == ("storage-corrupt", ["corrupt"])
    await readers.close()


async def test_another_process_may_write_in_between(path: Path) -> None:
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        await append(storage, between(alice, bob))
        other = raw(path)
        other.execute("DELETE FROM mailbox")
        other.execute("DELETE FROM address")
        other.close()
        await append(storage, between(alice, bob))
        (found,) = (await storage.messages.page(ArchiveQuery(alice))).messages
        assert (found.sender, found.recipient, found.peer) == (ALICE, BOB, BOB)


async def test_addresses_of_purged_messages_are_forgotten(path: Path) -> None:
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        await append(storage, message(entry(alice, CAROL), at=1, sender=CAROL), between(alice, bob, at=2))
        assert await storage.messages.purge(None, 2) == 1
        connection = raw(path)
        assert connection.execute("SELECT text FROM address ORDER BY text").fetchall() == [(ALICE,), (BOB,)]
        connection.close()
        again = message(entry(alice, CAROL), sender=CAROL, at=3)
        await append(storage, again)
        assert [found.id for found in (await storage.messages.page(ArchiveQuery(alice, peer=CAROL))).messages] == [
            again.id
        ]
    await SqliteStorage.verify(path)


async def test_addresses_are_searched_for_when_enough_was_deleted(path: Path) -> None:
    def known() -> list[str]:
        connection = raw(path)
        found = [text for (text,) in connection.execute("SELECT text FROM address ORDER BY text")]
        connection.close()
        return found

    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        await append(storage, *[between(alice, bob, at=200) for _ in range(100)])
        await storage.messages.purge(None, 1)
        # One entry in a hundred messages is not worth the search, ten in what is left are.
        await append(storage, message(entry(alice, CAROL), at=1, sender=CAROL))
        assert await storage.messages.purge(None, 2) == 1
        assert known() == [ALICE, BOB, CAROL]
        await append(storage, *[message(entry(alice, CAROL), at=1, sender=CAROL) for _ in range(10)])
        assert await storage.messages.purge(None, 2) == 10
        assert known() == [ALICE, BOB]
    await SqliteStorage.verify(path)


async def test_an_interrupted_removal_is_finished_at_the_next_start(path: Path) -> None:
    alice, bob = await filled(path, 10)
    connection = raw(path)
    connection.execute("UPDATE account SET address = NULL WHERE id = ?", (alice,))
    connection.close()
    async with opened(path) as storage:
        assert [account.id for account in await storage.accounts.all()] == [bob]
    report = await SqliteStorage.verify(path)
    assert (report.accounts, report.messages, report.mailbox_entries) == (1, 10, 10)


async def test_every_transaction_is_reported(path: Path) -> None:
    reports = []
    async with opened(path) as storage:
        storage._on_commit = reports.append
        alice, bob = await two_people(storage)
        await append(storage, *[between(alice, bob) for _ in range(4)])
    assert [(report.messages, report.changes, report.error) for report in reports] == [(0, 1, ""), (4, 0, "")]
    assert all(report.duration_s > 0 for report in reports)


async def test_reads_that_wait_are_bounded(path: Path) -> None:
    alice, _ = await filled(path, 0)
    async with opened(path) as storage:
        storage._readers._limit = 2
        results = await asyncio.gather(*[storage.rosters.load(alice) for _ in range(3)], return_exceptions=True)
        assert [getattr(result, "code", "") for result in results] == ["", "", "storage-overloaded"]
        assert (await storage.rosters.load(alice)).version == 0
