"""`RosterStore` on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from parley.domain.contacts import Contact, Roster, RosterChange, RosterEdit
from parley.domain.errors import LimitReached
from parley.domain.subscriptions import SubscriptionState
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

REMOVALS_KEPT = 1000
"""Removed contacts remembered per account; a client whose version is older gets the whole roster."""

_VERSION = sql("rosters.version")
_RAISE_VERSION = sql("rosters.raise_version")
_CONTACTS = sql("rosters.contacts")
_IS_LISTED = sql("rosters.is_listed")
_COUNT = sql("rosters.count")
_PUT_CONTACT = sql("rosters.put")
_DELETE = sql("rosters.delete")
_REMEMBER_REMOVAL = sql("rosters.remember_removal")
_FORGET_REMOVAL = sql("rosters.forget_removal")
_SURPLUS_REMOVAL = sql("rosters.surplus_removal")
_FORGET_REMOVALS = sql("rosters.forget_removals")
_SET_FORGOTTEN = sql("rosters.set_forgotten")
_CHANGED = sql("rosters.changed")
_REMOVED = sql("rosters.removed")
_WATCHERS = sql("rosters.watchers")


class SqliteRosters:
    """Contacts.

    Args:
        removals_kept: removed contacts remembered per account.
    """

    def __init__(self, writer: Writer, readers: Readers, removals_kept: int = REMOVALS_KEPT) -> None:
        self._writer = writer
        self._readers = readers
        self._removals_kept = removals_kept

    async def load(self, account_id: int) -> Roster:
        """The roster with its version, unlisted contacts included."""

        def query(connection: sqlite3.Connection) -> Roster:
            version, _ = _versions(connection, account_id)
            rows = connection.execute(_CONTACTS, (account_id,)).fetchall()
            return Roster(version, {row[0]: _contact_from(row) for row in rows})

        return await self._readers.run(query)

    async def put(self, account_id: int, contact: Contact, limit: int) -> int:
        """Add or change a contact; see the port. Raises NotFound("account-not-found")."""
        return await self._writer.run(lambda connection: self._put(connection, account_id, contact, limit))

    async def remove(self, account_id: int, address: str) -> int:
        """Remove a contact; see the port."""
        return await self._writer.run(lambda connection: self._remove(connection, account_id, address))

    async def edit(self, edits: Sequence[RosterEdit], limit: int) -> list[int]:
        """Change contacts of several accounts in one transaction; see the port."""

        def change(connection: sqlite3.Connection) -> list[int]:
            return [
                self._remove(connection, edit.account_id, edit.address)
                if edit.contact is None
                else self._put(connection, edit.account_id, edit.contact, limit)
                for edit in edits
            ]

        return await self._writer.run(change)

    async def changes(self, account_id: int, since: int) -> list[RosterChange] | None:
        """The last change of each contact behind `since`; see the port."""

        def query(connection: sqlite3.Connection) -> list[RosterChange] | None:
            version, forgotten = _versions(connection, account_id)
            if not forgotten <= since <= version:
                return None
            changed = connection.execute(_CHANGED, (account_id, since)).fetchall()
            removed = connection.execute(_REMOVED, (account_id, since)).fetchall()
            changes = [RosterChange(row[6], row[0], _contact_from(row)) for row in changed]
            changes += [RosterChange(row[0], row[1], None) for row in removed]
            return sorted(changes, key=lambda change: change.version)

        return await self._readers.run(query)

    async def watchers(self, address: str) -> list[int]:
        """Ids of the accounts whose roster holds `address`, ascending."""
        rows = await self._readers.run(lambda connection: connection.execute(_WATCHERS, (address,)).fetchall())
        return [row[0] for row in rows]

    def _remove(self, connection: sqlite3.Connection, account_id: int, address: str) -> int:
        was_listed = _is_listed(connection, account_id, address)
        if was_listed is None:
            return _versions(connection, account_id)[0]
        connection.execute(_DELETE, (account_id, address))
        version = _raise_version(connection, account_id)
        if was_listed:
            self._remember_removal(connection, account_id, address, version)
        return version

    def _put(self, connection: sqlite3.Connection, account_id: int, contact: Contact, limit: int) -> int:
        was_listed = _is_listed(connection, account_id, contact.address)
        if was_listed is not contact.is_listed:
            _check_room(connection, account_id, contact, limit)
        version = _raise_version(connection, account_id)
        connection.execute(_PUT_CONTACT, _contact_row(account_id, contact, version))
        if contact.is_listed:
            connection.execute(_FORGET_REMOVAL, (account_id, contact.address))
        elif was_listed:
            self._remember_removal(connection, account_id, contact.address, version)
        return version

    def _remember_removal(self, connection: sqlite3.Connection, account_id: int, address: str, version: int) -> None:
        connection.execute(_REMEMBER_REMOVAL, (account_id, version, address))
        row = connection.execute(_SURPLUS_REMOVAL, (account_id, self._removals_kept)).fetchone()
        if row is not None:
            connection.execute(_FORGET_REMOVALS, (account_id, row[0]))
            connection.execute(_SET_FORGOTTEN, (row[0], account_id))


def _versions(connection: sqlite3.Connection, account_id: int) -> tuple[int, int]:
    row = connection.execute(_VERSION, (account_id,)).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def _raise_version(connection: sqlite3.Connection, account_id: int) -> int:
    (row,) = connection.execute(_RAISE_VERSION, (account_id,)).fetchall()
    return int(row[0])


def _is_listed(connection: sqlite3.Connection, account_id: int, address: str) -> bool | None:
    """None where it is no contact."""
    row = connection.execute(_IS_LISTED, (account_id, address)).fetchone()
    return None if row is None else bool(row[0])


def _check_room(connection: sqlite3.Connection, account_id: int, contact: Contact, limit: int) -> None:
    (count,) = connection.execute(_COUNT, (account_id, contact.is_listed)).fetchone()
    if count >= limit:
        raise LimitReached("roster-full")


def _contact_row(account_id: int, contact: Contact, version: int) -> Row:
    groups = json.dumps(contact.groups, ensure_ascii=False, separators=(",", ":"))
    state = _state_bits(contact.state)
    return account_id, contact.address, contact.name, groups, state, contact.is_listed, contact.request, version


def _contact_from(row: Row) -> Contact:
    address, name, groups, state, is_listed, request, _ = row
    return Contact(address, name, tuple(json.loads(groups)), _state_from(state), bool(is_listed), request)


def _state_bits(state: SubscriptionState) -> int:
    return state.to | state.from_ << 1 | state.pending_out << 2 | state.pending_in << 3 | state.approved << 4


def _state_from(bits: int) -> SubscriptionState:
    return SubscriptionState(bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8), bool(bits & 16))
