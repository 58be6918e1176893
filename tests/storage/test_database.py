"""Opening, refusing, migrating, checking and saving the file."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from parley.domain.messages import ArchiveQuery
from parley.storage.errors import BackupRefused, DatabaseCorrupt, DatabaseUnusable, SchemaOutdated, SchemaTooNew
from parley.storage.sqlite import database
from parley.storage.sqlite.backup import restore_backup
from parley.storage.sqlite.migrate import Migration, migrate, migrations, schema_version, split_statements
from parley.storage.sqlite.sql import queries, sql
from parley.storage.sqlite.store import SqliteStorage

from .people import ALICE, BOB, append, between
from .sqlite_files import PAGE_BYTES, filled, opened, raw

QUERY_GROUPS = sorted(
    file.name.removesuffix(".sql")
    for file in Path(database.__file__).parent.joinpath("queries").iterdir()
    if file.name != "schema.sql"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parley.db"


async def test_only_the_owner_may_read_the_files(path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(path) as storage:
            await storage.accounts.add(ALICE, [], 1)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"parley.db": 0o600, "parley.db-wal": 0o600, "parley.db-shm": 0o600}


async def test_the_pragmas_that_make_it_durable(path: Path) -> None:
    await filled(path, 1)
    connection = database.open_writer(path, is_checked=True)
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "application_id")
    }
    connection.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "application_id": database.APPLICATION_ID,
    }


async def test_a_reader_cannot_write(path: Path) -> None:
    await filled(path, 1)
    connection = database.open_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM message")
    connection.close()


async def test_a_missing_folder_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="No such file"):
        await opened(tmp_path / "none" / "parley.db").__aenter__()
    foreign = tmp_path / "other.db"
    connection = raw(foreign)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(DatabaseUnusable, match="another program"):
        await opened(foreign).__aenter__()
    assert foreign.read_bytes() == before


async def test_a_file_of_something_else_is_called_damaged(path: Path) -> None:
    path.write_bytes(b"<html>not a database</html>" * 400)
    with pytest.raises(DatabaseCorrupt) as refused:
        await opened(path).__aenter__()
    assert refused.value.code == "database-corrupt"


async def test_a_flipped_page_is_found_at_the_start(path: Path) -> None:
    await filled(path)
    data = bytearray(path.read_bytes())
    # Every page behind the first loses its header: whatever they hold, none is sound any more.
    for start in range(PAGE_BYTES, len(data), PAGE_BYTES):
        data[start : start + 8] = bytes(byte ^ 0xFF for byte in data[start : start + 8])
    path.write_bytes(data)
    with pytest.raises(DatabaseCorrupt) as refused:
        await opened(path).__aenter__()
    assert refused.value.code == "database-corrupt"
    assert "parley backup restore" in str(refused.value)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == data


async def test_a_truncated_file_is_found_at_the_start(path: Path) -> None:
    await filled(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DatabaseCorrupt):
        await opened(path).__aenter__()


async def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    await filled(path, 1)
    connection = raw(path)
    connection.execute(sql("schema.add_version"), (99, "future", 1))
    connection.close()
    with pytest.raises(SchemaTooNew) as refused:
        await opened(path).__aenter__()
    assert (refused.value.code, refused.value.found, refused.value.known) == ("schema-too-new", 99, len(migrations()))
    with pytest.raises(SchemaTooNew):
        await SqliteStorage.verify(path)


async def test_an_older_schema_waits_for_its_migration(path: Path) -> None:
    with pytest.raises(SchemaOutdated) as refused:
        await opened(path, is_migrated=False).__aenter__()
    assert refused.value.code == "schema-outdated"
    async with opened(path):
        pass
    async with opened(path, is_migrated=False) as storage:
        assert await storage.accounts.all() == []


async def test_each_migration_is_applied_once_in_order_and_whole(path: Path) -> None:
    connection = database.open_writer(path, is_checked=True)
    steps = [
        Migration(1, "one", "CREATE TABLE one (x);\n-- with a ; inside\nINSERT INTO one VALUES (1);"),
        Migration(2, "two", "CREATE TABLE two (x);\nINSERT INTO two SELECT x + 1 FROM one;"),
    ]
    assert migrate(connection, path, 7, steps[:1]) == [1]
    assert migrate(connection, path, 8, steps) == [2]
    assert migrate(connection, path, 9, steps) == []
    assert connection.execute("SELECT version, name, applied_at FROM schema_version").fetchall() == [
        (1, "one", 7),
        (2, "two", 8),
    ]
    assert connection.execute("SELECT x FROM two").fetchall() == [(2,)]
    broken = Migration(3, "three", "CREATE TABLE three (x);\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, 10, [*steps, broken])
    assert schema_version(connection) == 2
    assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'three'").fetchone() is None
    connection.close()


def test_statements_are_split_with_triggers_whole() -> None:
    trigger = "CREATE TRIGGER t AFTER DELETE ON a BEGIN\n  DELETE FROM b;\n  DELETE FROM c;\nEND;\n"
    assert split_statements(f"CREATE TABLE a (x);\n{trigger}-- the end\n") == ["CREATE TABLE a (x);\n", trigger]
    with pytest.raises(ValueError, match="no end"):
        split_statements("CREATE TABLE a (x)")


@pytest.mark.parametrize("group", QUERY_GROUPS)
async def test_every_query_fits_the_schema(path: Path, group: str) -> None:
    async with opened(path, has_text_index=True):
        pass
    connection = database.open_reader(path)
    for name, statement in queries(group).items():
        if statement.startswith(("PRAGMA", "CREATE")):
            continue
        numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
        named = dict.fromkeys(re.findall(r":([a-z_]+)", statement), 1)
        values: object = named or [1] * (max(numbered) if numbered else statement.count("?"))
        assert connection.execute(f"EXPLAIN {statement}", values).fetchall(), name  # type: ignore[arg-type]
    connection.close()


def test_every_query_is_used() -> None:
    folder = Path(database.__file__).parent
    code = "\n".join(file.read_text("utf-8") for file in folder.glob("*.py"))
    unused = [
        f"{g}.{name}"
        for g in (*QUERY_GROUPS, "schema")
        if g != "checks"
        for name in queries(g)
        if f'"{g}.{name}"' not in code
    ]
    assert unused == []


async def test_a_backup_is_consistent_while_writing_goes_on(tmp_path: Path, path: Path) -> None:
    target = tmp_path / "backup.db"
    alice, bob = await filled(path, 50)
    async with opened(path) as storage:
        answers: list[object] = []
        for number in range(500):
            storage.messages.append(between(alice, bob, at=number), answers.append)
        await storage.backup(target)
        await append(storage, between(alice, bob))
        with pytest.raises(BackupRefused):
            await storage.backup(target)
    report = await SqliteStorage.verify(target)
    assert report.mailbox_entries == 2 * report.messages
    assert 50 <= report.messages <= 550
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.glob("backup*")) == ["backup.db"]


async def test_a_backup_takes_the_place_of_a_damaged_database(tmp_path: Path, path: Path) -> None:
    target = tmp_path / "backup.db"
    alice, _ = await filled(path, 20)
    async with opened(path) as storage:
        await storage.backup(target)
    path.write_bytes(b"ruined" * 1000)
    path.with_name("parley.db-wal").write_bytes(b"an old log")
    assert restore_backup(target, path) == tmp_path / "parley.db.replaced-1"
    assert (tmp_path / "parley.db.replaced-1").read_bytes() == b"ruined" * 1000
    assert (tmp_path / "parley.db.replaced-1-wal").read_bytes() == b"an old log"
    async with opened(path) as storage:
        assert [account.address for account in await storage.accounts.all()] == [ALICE, BOB]
        assert (await storage.messages.page(ArchiveQuery(alice))).total == 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_damaged_backup_is_not_restored(tmp_path: Path, path: Path) -> None:
    await filled(path, 20)
    before = path.read_bytes()
    bad = tmp_path / "bad.db"
    bad.write_bytes(before[: len(before) // 2])
    with pytest.raises(DatabaseCorrupt):
        restore_backup(bad, path)
    with pytest.raises(DatabaseUnusable):
        restore_backup(tmp_path / "none.db", path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "detail"),
    [
        ("UPDATE message SET holders = 7 WHERE seq = 3", "holders"),
        ("INSERT INTO mailbox VALUES (1, 999, 1, 0, 1, 0, 1, 1)", "no message"),
        ("DELETE FROM address", "unknown address"),
        ("UPDATE mailbox SET account_id = 50 WHERE seq = 3 AND account_id = 1", "refers to a missing row"),
    ],
)
async def test_verifying_finds_broken_references(path: Path, damage: str, detail: str) -> None:
    await filled(path, 5)
    connection = raw(path)
    connection.execute(damage)
    connection.close()
    with pytest.raises(DatabaseCorrupt, match=detail):
        await SqliteStorage.verify(path)
