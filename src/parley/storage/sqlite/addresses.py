"""Interned addresses: the integer that stands for an address in messages and mailboxes."""

from __future__ import annotations

import sqlite3

from parley.storage.sqlite.sql import sql

_FIND = sql("addresses.find")
_ADD = sql("addresses.add")
_DATA_VERSION = sql("addresses.data_version")


class AddressBook:
    """The writer's cache of the `address` table.

    Args:
        limit: addresses kept in memory; the cache starts over when it is full.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._ids: dict[str, int] = {}
        self._data_version = -1
        self._used: set[int] | None = None

    def begin(self, connection: sqlite3.Connection) -> None:
        """Start a transaction: forget what another process may have changed since the last one."""
        (version,) = connection.execute(_DATA_VERSION).fetchone()
        if version != self._data_version or len(self._ids) > self._limit:
            self._ids.clear()
            self._data_version = version

    def rolled_back(self) -> None:
        """Forget everything: some of it may never have been stored."""
        self._ids.clear()

    def id_of(self, connection: sqlite3.Connection, address: str) -> int:
        """The address's integer, given out now if it has none."""
        known = self._ids.get(address)
        if known is None:
            known = self._ids[address] = self._look_up(connection, address)
        if self._used is not None:
            self._used.add(known)
        return known

    def watch(self) -> None:
        """Note from now on which integers are given out."""
        self._used = set()

    def forget(self) -> set[int]:
        """The integers given out since `watch`; forgets the cache, whose other rows may be deleted next."""
        self._ids.clear()
        return self._used or set()

    def unwatch(self) -> None:
        """Note no more."""
        self._used = None

    def _look_up(self, connection: sqlite3.Connection, address: str) -> int:
        row = connection.execute(_FIND, (address,)).fetchone()
        if row is None:
            return connection.execute(_ADD, (address,)).lastrowid or 0
        return int(row[0])
