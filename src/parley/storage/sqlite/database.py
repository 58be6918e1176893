"""Opening the database file: pragmas, checks, permissions, and what makes a commit survive a power cut.

Journal mode WAL with `synchronous=FULL`: COMMIT writes the transaction's pages behind the end of the `-wal` file and
returns after `fdatasync` of that file. Pages move to the main file later, at a checkpoint (`checkpoints.py`), which
syncs the log before and the main file after; only then is the log reused. So at any instant the two files together hold
every transaction whose COMMIT returned. A new file's *name* is durable only once its directory is synced: SQLite does
that for the `-wal` file before the first commit returns, and `open_writer` does it for the database itself.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley.storage.errors import DatabaseCorrupt, DatabaseUnusable, StorageError
from parley.storage.sqlite import failures

OLDEST_SQLITE = (3, 37, 0)
APPLICATION_ID = 0x5061726C
"""Marks a file as Parley's (the letters `Parl` in the file's header)."""

BUSY_TIMEOUT_MS = 5000
"""How long a statement waits for another process (the command line beside the server)."""

_JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024
_WRITER_CACHE_KIB = 32 * 1024
_READER_CACHE_KIB = 8 * 1024


def open_writer(path: Path, *, is_checked: bool) -> sqlite3.Connection:
    """Open the connection that writes; a file that is absent is created with mode 0600 and its name synced.

    Args:
        path: the database file; its directory must exist.
        is_checked: read the whole file and check its structure (`quick_check`, about a second per GiB).

    Raises:
        DatabaseCorrupt: the file is damaged.
        DatabaseUnusable: it cannot be opened or written here, is not Parley's, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseUnusable(str(path), f"needs SQLite 3.37 or newer, this is {sqlite3.sqlite_version}")
    _create_file(path)
    connection = _connect(path, "rw")
    with closed_on_failure(connection, path):
        _check_owner(connection, path)
        if is_checked:
            check_structure(connection, path, "quick_check")
        _set_writer_pragmas(connection, path)
    sync_directory(path.parent)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write. Raises as `open_writer`."""
    connection = _connect(path, "ro")
    with closed_on_failure(connection, path):
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
        connection.execute("PRAGMA query_only = ON")
        _check_owner(connection, path)
    return connection


def open_checkpointer(path: Path) -> sqlite3.Connection:
    """Open a connection that only runs checkpoints, for a thread of its own. Raises as `open_writer`."""
    connection = _connect(path, "rw")
    with closed_on_failure(connection, path):
        # A checkpoint's syncs follow this setting as a commit's do.
        connection.execute("PRAGMA synchronous = FULL")
        _own_checkpoints(connection)
    return connection


@contextmanager
def closed_on_failure(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """While a connection is being made ready: close it when that fails, and say what SQLite's errors mean.

    Raises:
        DatabaseCorrupt, DatabaseUnusable: for an error of SQLite's.
    """
    try:
        yield
    except sqlite3.Error as error:
        connection.close()
        raise opening_error(path, error) from error
    except BaseException:
        connection.close()
        raise


def check_structure(connection: sqlite3.Connection, path: Path, kind: str) -> None:
    """Run `quick_check` or `integrity_check`. Raises DatabaseCorrupt with the first thing found."""
    try:
        (found,) = connection.execute(f"PRAGMA {kind}(1)").fetchone()
    except sqlite3.Error as error:
        raise opening_error(path, error) from error
    if found != "ok":
        raise DatabaseCorrupt(str(path), str(found))


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnusable(str(path), error.strerror or str(error)) from error
    os.close(descriptor)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    except sqlite3.Error as error:
        raise opening_error(path, error) from error


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION_ID:
        raise DatabaseUnusable(str(path), "is a database of another program")


def _set_writer_pragmas(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise DatabaseUnusable(str(path), f"its file system does not allow a write-ahead log (journal mode {mode})")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _own_checkpoints(connection)
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    # Savepoints keep the former contents of changed pages; on the disk (the default) that is half the cost of a batch.
    connection.execute("PRAGMA temp_store = MEMORY")
    # What is deleted is overwritten, not only unlinked, whatever SQLite was built with.
    connection.execute("PRAGMA secure_delete = ON")


def _own_checkpoints(connection: sqlite3.Connection) -> None:
    # Inside COMMIT a checkpoint would keep everyone waiting who is in that transaction.
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def opening_error(path: Path, error: sqlite3.Error) -> StorageError:
    """What an error while opening means to the operator."""
    if failures.fatal_code(error) == failures.CORRUPT:
        return DatabaseCorrupt(str(path), str(error))
    return DatabaseUnusable(str(path), str(error))
