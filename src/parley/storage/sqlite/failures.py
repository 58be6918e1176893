"""SQLite's errors in the domain's words."""

from __future__ import annotations

import sqlite3

from parley.domain.errors import DomainError, NotFound, StorageFull, StorageUnavailable

_PRIMARY = 0xFF

# After one of these the transaction cannot go on: the machine or the file is in trouble, not the statement.
_FATAL = {
    sqlite3.SQLITE_FULL: "storage-full",
    sqlite3.SQLITE_IOERR: "storage-io-error",
    sqlite3.SQLITE_NOMEM: "storage-out-of-memory",
    sqlite3.SQLITE_CORRUPT: "storage-corrupt",
    sqlite3.SQLITE_NOTADB: "storage-corrupt",
    sqlite3.SQLITE_BUSY: "storage-busy",
    sqlite3.SQLITE_LOCKED: "storage-busy",
    sqlite3.SQLITE_READONLY: "storage-read-only",
    sqlite3.SQLITE_CANTOPEN: "storage-io-error",
    sqlite3.SQLITE_PERM: "storage-io-error",
    sqlite3.SQLITE_PROTOCOL: "storage-busy",
    sqlite3.SQLITE_INTERRUPT: "storage-interrupted",
}

CORRUPT = "storage-corrupt"


def fatal_code(error: sqlite3.Error) -> str:
    """The code of an error that ends the transaction; empty for one that only its statement caused."""
    return _FATAL.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY, "")


def unavailable(error: sqlite3.Error) -> StorageUnavailable:
    """The error for everyone whose work was in the transaction that failed."""
    code = fatal_code(error)
    kind = StorageFull if code == "storage-full" else StorageUnavailable
    return kind(code or "storage-defect", f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}")


def refusal(error: sqlite3.IntegrityError) -> DomainError | None:
    """What a broken rule of the schema means to the caller; None when it is a defect of ours."""
    if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return NotFound("account-not-found", "the account does not exist any longer")
    return None


def again(error: StorageUnavailable) -> StorageUnavailable:
    """A copy, so that each caller raises an exception with a traceback of its own."""
    return type(error)(error.code, str(error))
