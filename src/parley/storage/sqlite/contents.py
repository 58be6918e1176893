"""Which contents a database file refers to, for backups."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from parley.storage.sqlite import database
from parley.storage.sqlite.sql import sql

_ALL = sql("contents.all")


def referenced_contents(path: Path) -> list[bytes]:
    """The digests of all complete uploads in a database file, each once, in order.

    Raises:
        DatabaseCorrupt, DatabaseUnusable: the file cannot be read.
    """
    connection = database.open_reader(path)
    try:
        return [digest for (digest,) in connection.execute(_ALL)]
    except sqlite3.Error as error:
        raise database.opening_error(path, error) from error
    finally:
        connection.close()
