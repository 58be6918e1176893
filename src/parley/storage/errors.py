"""Errors of opening, checking, migrating and saving a database.

StorageError
├── DatabaseUnusable   the file cannot be opened, read or written here
├── DatabaseCorrupt    the file is damaged; a backup has to be restored
├── SchemaTooNew       written by a newer Parley
├── SchemaOutdated     `parley migrate` has to be run first
└── BackupRefused      a backup or a restore cannot be done as asked

What an operation of a running store raises is the domain's: see `domain/errors.py`.
"""

from __future__ import annotations

from parley.base.errors import ParleyError


class StorageError(ParleyError):
    """Root of the package's errors."""


class DatabaseUnusable(StorageError):
    """The file cannot be opened, read or written here."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__("database-unusable", f"{path}: {reason}")
        self.path = path


class DatabaseCorrupt(StorageError):
    """The file is damaged; the message tells the operator what to do."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(
            "database-corrupt",
            f"the database {path} is damaged ({detail}). Stop Parley, keep a copy of this file and of those beside it "
            "(-wal, -shm), and restore the newest backup with `parley backup restore FILE`",
        )
        self.path = path


class SchemaTooNew(StorageError):
    """The database was written by a newer Parley; opening it could destroy what this one does not know."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            "schema-too-new",
            f"the database {path} has schema {found}, this Parley knows up to {known}: install the newer Parley again, "
            "or restore a backup from before the upgrade",
        )
        self.found = found
        self.known = known


class SchemaOutdated(StorageError):
    """The schema is older than this Parley's and migrating was not asked for."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            "schema-outdated",
            f"the database {path} has schema {found}, this Parley needs {known}: run `parley migrate`",
        )
        self.found = found
        self.known = known


class BackupRefused(StorageError):
    """A backup or a restore cannot be done as asked; nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__("backup-refused", message)
