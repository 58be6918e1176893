"""Backups: a consistent copy while the server runs, its check, and putting it back."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from parley.storage.errors import BackupRefused, DatabaseCorrupt, DatabaseUnusable
from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import check_version, schema_version
from parley.storage.sqlite.sql import queries, sql

_COUNTS = sql("checks.counts")
_RULES = tuple(name for name in queries("checks") if name != "counts")


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a sound database holds."""

    schema_version: int
    size_bytes: int
    accounts: int
    messages: int
    mailbox_entries: int


def create_backup(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database into `target`: one file, mode 0600, checked, synced, complete or absent.

    Args:
        connection: a reader's, with no transaction open. The copy is one snapshot; writing goes on meanwhile.
        target: must not exist; its directory must.

    Raises:
        BackupRefused: `target` exists or cannot be written.
        DatabaseCorrupt: the copy is damaged, so the original is.
        sqlite3.Error: the original could not be read or the copy not written.
    """
    if target.exists():
        raise BackupRefused(f"{target} exists already")
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy(connection, part)
        _sync_file(part)
        # A link, unlike a rename, does not replace what came into being meanwhile.
        os.link(part, target)
    except OSError as error:
        raise BackupRefused(f"{target}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    database.sync_directory(target.parent)


def verify_database(path: Path) -> VerifyReport:
    """Read a database file completely and check its structure, its references and the counts kept in it.

    Raises:
        DatabaseCorrupt, DatabaseUnusable, SchemaTooNew, SchemaOutdated: it is not usable as it is.
    """
    if not path.is_file():
        raise DatabaseUnusable(str(path), "there is no such file")
    connection = database.open_reader(path)
    try:
        database.check_structure(connection, path, "integrity_check")
        check_version(connection, path)
        _check_rules(connection, path)
        accounts, messages, entries = connection.execute(_COUNTS).fetchone()
        return VerifyReport(schema_version(connection), path.stat().st_size, accounts, messages, entries)
    except sqlite3.DatabaseError as error:
        raise DatabaseCorrupt(str(path), str(error)) from error
    finally:
        connection.close()


def restore_backup(source: Path, target: Path) -> Path | None:
    """Put a verified backup in the place of the database. Parley must not be running.

    What was there is kept beside it, its write-ahead log included: an old log must never meet a new file.

    Returns:
        Where the former database lies now; None if there was none.

    Raises:
        BackupRefused: the copy cannot be written.
        StorageError: the backup is not usable, see `verify_database`.
    """
    verify_database(source)
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        reader = database.open_reader(source)
        try:
            _copy(reader, part)
        finally:
            reader.close()
        _sync_file(part)
        kept = _set_aside(target)
        part.rename(target)
    except OSError as error:
        raise BackupRefused(f"{target}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    database.sync_directory(target.parent)
    return kept


def _copy(source: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        # All pages in one step are one snapshot; smaller steps start over whenever somebody writes in between.
        source.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode = DELETE")
        database.check_structure(copy, target, "quick_check")
    finally:
        copy.close()


def _set_aside(target: Path) -> Path | None:
    if not target.exists():
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        return None
    number = 1
    while (kept := target.with_name(f"{target.name}.replaced-{number}")).exists():
        number += 1
    # The log goes first: the old file without its log is merely older, the new one with an old log would be damaged.
    for suffix in ("-wal", "-shm", ""):
        beside = target.with_name(target.name + suffix)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + suffix))
    return kept


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_rules(connection: sqlite3.Connection, path: Path) -> None:
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise DatabaseCorrupt(str(path), f"a row of {broken[0]} refers to a missing row of {broken[2]}")
    for rule in _RULES:
        if connection.execute(sql(f"checks.{rule}")).fetchone() is not None:
            raise DatabaseCorrupt(str(path), rule.replace("_", " "))
