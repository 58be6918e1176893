"""The index of words: what is in it, what leaves it, and how it comes back into step."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from parley.domain.messages import ArchivePage, ArchiveQuery, Confidentiality, NewMessage, Retraction
from parley.storage.sqlite.search import match_of, prepare
from parley.storage.sqlite.store import SqliteStorage

from .people import ALICE, BOB, append, between, two_people
from .sqlite_files import opened, raw


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parley.db"


def said(alice: int, bob: int, text: str, **others: object) -> NewMessage:
    values: dict[str, object] = {"content": text.encode(), "confidentiality": Confidentiality.MANAGED}
    return between(alice, bob, **{**values, **others})  # type: ignore[arg-type]


async def follow(storage: SqliteStorage) -> None:
    while await storage.text_index.follow(bytes.decode):
        pass


async def find(storage: SqliteStorage, owner: int, words: str, **others: object) -> ArchivePage:
    return await storage.messages.page(ArchiveQuery(owner, words=words, **others))  # type: ignore[arg-type]


async def texts(storage: SqliteStorage, owner: int, words: str, **others: object) -> list[str]:
    return [found.content.decode() for found in (await find(storage, owner, words, **others)).messages]


def rows(path: Path) -> list[tuple[str, str]]:
    connection = raw(path)
    try:
        return connection.execute("SELECT text, owners FROM text_index ORDER BY rowid").fetchall()
    finally:
        connection.close()


async def test_words_are_found_by_both_parties_and_by_nobody_else(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        carol = (await storage.accounts.add("carol@example.org", [], 1)).id
        await append(storage, said(alice, bob, "Rain in Zürich"), said(alice, bob, "no rain", at=5))
        await follow(storage)
        for owner in (alice, bob):
            assert await texts(storage, owner, "RAIN") == ["Rain in Zürich", "no rain"]
            assert await texts(storage, owner, "zurich  rain") == ["Rain in Zürich"]
            assert await texts(storage, owner, "rai") == []
        assert await texts(storage, carol, "rain") == []
        assert rows(path)[0] == ("Rain in Zürich", f"a{alice} a{bob}")


async def test_what_is_sealed_is_not_in_it(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        kinds = (Confidentiality.SEALED, Confidentiality.SEALED_ARCHIVE)
        await append(storage, *(said(alice, bob, "secret", confidentiality=kind) for kind in kinds))
        await follow(storage)
        assert rows(path) == []
        page = await find(storage, alice, "secret")
        assert (page.messages, page.total, page.is_stable) == ((), 0, True)


@pytest.mark.parametrize(
    "words",
    ['"', "rain OR snow", "rain NOT in", "ra*", "text : rain", "NEAR(rain)", "(", "a'b", "-rain", "^rain", "\\"],
)
async def test_nothing_in_the_words_is_an_operator(path: Path, words: str) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, said(alice, bob, "rain in spring"))
        await follow(storage)
        found = await texts(storage, alice, words)
        assert found == (["rain in spring"] if words in ("-rain", "^rain") else [])


def test_words_without_letters_are_none() -> None:
    assert match_of("... !?", 1) == ""
    assert match_of('say "so" ...', 12) == 'owners : a12 AND text : ("say" AND """so""")'


async def test_pages_filters_and_counts(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        sent = [said(alice, bob, f"rain {n}", at=n, recipient=f"{BOB}/desk" if n % 2 else BOB) for n in range(10)]
        await append(storage, *sent)
        await follow(storage)
        page = await find(storage, alice, "rain", limit=3, is_backward=True)
        assert [found.id for found in page.messages] == [each.id for each in sent[7:]]
        assert (page.total, page.index, page.is_complete, page.is_stable) == (10, 7, False, True)
        assert await texts(storage, alice, "rain", after_id=sent[7].id) == ["rain 8", "rain 9"]
        assert await texts(storage, alice, "rain", start=2, end=4) == ["rain 2", "rain 3", "rain 4"]
        assert await texts(storage, alice, "rain", peer=BOB, device=f"{BOB}/desk", limit=2) == ["rain 1", "rain 3"]
        assert (await find(storage, alice, "rain", peer=BOB, device=f"{BOB}/desk", limit=0)).total == 5
        assert await texts(storage, alice, "rain", peer=ALICE) == []
        assert await texts(storage, alice, "rain", index=8) == ["rain 8", "rain 9"]
        assert await texts(storage, alice, "3", ids=(sent[2].id, sent[3].id)) == ["rain 3"]
        nothing = await find(storage, alice, "...")
        assert (nothing.messages, nothing.total, nothing.is_complete) == ((), 0, True)


async def test_results_say_when_the_index_is_behind(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        assert (await find(storage, alice, "rain")).is_stable
        await append(storage, said(alice, bob, "rain"))
        assert not (await find(storage, alice, "rain")).is_stable
        await follow(storage)
        assert (await find(storage, alice, "rain")).is_stable


async def test_many_messages_take_several_steps(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, *(said(alice, bob, f"rain {n}") for n in range(600)))
        steps = [await storage.text_index.follow(bytes.decode) for _ in range(4)]
        assert steps == [True, True, False, False]
        assert (await find(storage, alice, "rain", limit=0)).total == 600


async def test_what_is_deleted_leaves_it(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, said(alice, bob, "old rain", at=1), said(alice, bob, "new rain", at=100))
        await follow(storage)
        await storage.messages.purge(None, 50)
        assert await texts(storage, alice, "rain") == ["new rain"]
        await follow(storage)
        assert [text for text, _ in rows(path)] == ["new rain"]
        for owner in (alice, bob):
            await storage.accounts.remove(owner)
        await follow(storage)
        assert rows(path) == []
    assert b"old rain" not in path.read_bytes()


async def test_what_is_retracted_leaves_it(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, said(alice, bob, "slip", client_id="m1"))
        await follow(storage)
        await append(storage, said(alice, bob, "sorry", retracts=Retraction("m1", lambda _: b"stone")))
        await follow(storage)
        assert [text for text, _ in rows(path)] == ["sorry"]
        assert await texts(storage, alice, "slip") == []


async def test_what_changes_while_it_is_read_is_not_taken_in(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, said(alice, bob, "slip", client_id="m1"), said(alice, bob, "gone", at=0))

        def meanwhile(content: bytes) -> str:
            connection = raw(path)
            connection.execute("UPDATE message SET content = x'21' WHERE content = CAST('slip' AS BLOB)")
            connection.execute("DELETE FROM mailbox WHERE received_at = 0")
            connection.close()
            return content.decode()

        assert not await storage.text_index.follow(meanwhile)
        assert rows(path) == []


async def test_without_the_wish_there_is_none_and_with_it_all_is_taken_in(path: Path) -> None:
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, said(alice, bob, "rain"))
        await follow(storage)
        assert storage.text_index.is_available
    # The command line beside the server leaves it as it is.
    async with opened(path, has_text_index=None) as storage:
        assert storage.text_index.is_available
    async with opened(path, has_text_index=False) as storage:
        assert not storage.text_index.is_available
        assert await storage.text_index.follow(bytes.decode) is False
        await append(storage, said(alice, bob, "more rain"))
    with pytest.raises(sqlite3.OperationalError):
        rows(path)
    async with opened(path, has_text_index=True) as storage:
        await follow(storage)
        assert await texts(storage, alice, "rain") == ["rain", "more rain"]


class WithoutFts(sqlite3.Connection):
    """A connection to an SQLite that was built without the module."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if "fts5" in statement or "MATCH" in statement:
            raise sqlite3.OperationalError("no such module: fts5")
        return super().execute(statement, *values)


async def test_where_sqlite_cannot_make_one_there_is_none(path: Path) -> None:
    for is_there in (False, True):
        async with opened(path, has_text_index=is_there):
            pass
        connection = sqlite3.connect(path, isolation_level=None, factory=WithoutFts)
        for is_wanted in (True, None):
            assert not prepare(connection, is_wanted=is_wanted)
        assert not connection.in_transaction
        connection.close()


async def test_a_backup_holds_it(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with opened(path, has_text_index=True) as storage:
        alice, bob = await two_people(storage)
        await append(storage, said(alice, bob, "rain"))
        await follow(storage)
        await storage.backup(copy)
    await SqliteStorage.verify(copy)
    async with opened(copy, has_text_index=True) as storage:
        assert await texts(storage, alice, "rain") == ["rain"]
