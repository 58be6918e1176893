"""Schema migrations: `migrations/NNNN_name.sql`, applied in order, each in one transaction with its version's row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from parley.storage.errors import SchemaOutdated, SchemaTooNew
from parley.storage.sqlite import database
from parley.storage.sqlite.sql import sql

_HAS_VERSIONS = sql("schema.has_versions")
_CREATE_VERSIONS = sql("schema.create_versions")
_VERSION = sql("schema.version")
_ADD_VERSION = sql("schema.add_version")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `script` is its SQL."""

    version: int
    name: str
    script: str


def migrations() -> list[Migration]:
    """All migrations this Parley knows. Raises ValueError when their numbers are not 1, 2, 3 and so on."""
    folder = resources.files(__package__).joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [Migration(int(name[:4]), name[5:-4], folder.joinpath(name).read_text("utf-8")) for name in names]
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migrations are not numbered without gaps")
    return found


def schema_version(connection: sqlite3.Connection) -> int:
    """The schema's version; 0 for an empty database."""
    if connection.execute(_HAS_VERSIONS).fetchone() is None:
        return 0
    row = connection.execute(_VERSION).fetchone()
    return int(row[0])


def check_version(connection: sqlite3.Connection, path: Path, steps: list[Migration] | None = None) -> None:
    """Refuse another schema than this Parley's. Raises SchemaTooNew, SchemaOutdated."""
    known = len(migrations() if steps is None else steps)
    found = schema_version(connection)
    if found > known:
        raise SchemaTooNew(str(path), found, known)
    if found < known:
        raise SchemaOutdated(str(path), found, known)


def migrate(connection: sqlite3.Connection, path: Path, now: int, steps: list[Migration] | None = None) -> list[int]:
    """Bring the schema up to date.

    Args:
        connection: the writer's, outside of a transaction.
        path: for messages.
        now: microseconds since the epoch, noted beside each version.
        steps: the migrations; all that this Parley knows when not given.

    Returns:
        The versions that were applied.

    Raises:
        SchemaTooNew: the database is newer; nothing was changed.
        sqlite3.Error: a step failed; it was rolled back, the ones before it stay.
    """
    steps = migrations() if steps is None else steps
    if schema_version(connection) > len(steps):
        raise SchemaTooNew(str(path), schema_version(connection), len(steps))
    return [step.version for step in steps if _apply(connection, step, now)]


def _apply(connection: sqlite3.Connection, step: Migration, now: int) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked inside the transaction: another process may have migrated while this one waited for the lock.
        if schema_version(connection) >= step.version:
            connection.execute("ROLLBACK")
            return False
        if step.version == 1:
            connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
            connection.execute(_CREATE_VERSIONS)
        for statement in split_statements(step.script):
            connection.execute(statement)
        connection.execute(_ADD_VERSION, (step.version, step.name, now))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def split_statements(script: str) -> list[str]:
    """The statements of a script, triggers whole. `executescript` would commit each one for itself."""
    statements: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in pending.splitlines()):
        raise ValueError("a migration's last statement has no end")
    return statements
