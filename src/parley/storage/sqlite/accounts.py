"""`AccountStore` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from parley.domain.accounts import Account, Credential
from parley.domain.errors import Conflict, NotFound
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import account_from, credential_from, credential_row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ADD = sql("accounts.add")
_FIND = sql("accounts.find")
_ALL = sql("accounts.all")
_CREDENTIALS = sql("accounts.credentials")
_ITERATIONS = sql("accounts.iterations")
_ADD_CREDENTIAL = sql("accounts.add_credential")
_ADD_MISSING_CREDENTIAL = sql("accounts.add_missing_credential")
_FORGET_TOKENS = sql("tokens.forget_all")
_DELETE_CREDENTIALS = sql("accounts.delete_credentials")
_SET_SUSPENDED = sql("accounts.set_suspended")
_HIDE = sql("accounts.hide")
_HIDDEN = sql("accounts.hidden")
_DELETE = sql("accounts.delete")
_BELONGINGS = (
    _DELETE_CREDENTIALS,
    sql("accounts.delete_roster"),
    sql("accounts.delete_contacts"),
    sql("accounts.delete_removed_contacts"),
    sql("accounts.delete_nodes"),
    sql("accounts.delete_devices"),
    _FORGET_TOKENS,
    sql("accounts.delete_uploads"),
    sql("blocks.forget"),
    sql("personal.forget_private"),
    sql("personal.forget_card"),
    sql("personal.forget_departure"),
    sql("accounts.delete_cursor"),
    sql("accounts.delete_invitations"),
)
_ENTRIES = sql("messages.entries_of_account")
_DELETE_ENTRY = sql("messages.delete_entry")

_PIECE = 500
"""Mailbox entries deleted in one transaction, so that messages of others wait some milliseconds, not seconds."""


class SqliteAccounts:
    """Accounts and their password credentials."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, address: str, credentials: Sequence[Credential], now: int) -> Account:
        """Create an account; see the port."""
        return (await self.add_many([(address, credentials)], now))[0]

    async def add_many(self, people: Sequence[tuple[str, Sequence[Credential]]], now: int) -> list[Account]:
        """Create all or none; see the port."""

        def change(connection: sqlite3.Connection) -> list[Account]:
            return [add_account(connection, address, credentials, now) for address, credentials in people]

        return await self._writer.run(change)

    async def find(self, address: str) -> Account | None:
        """The account of that address."""
        row = await self._readers.run(lambda connection: connection.execute(_FIND, (address,)).fetchone())
        return None if row is None else account_from(row)

    async def all(self, domain: str | None = None) -> list[Account]:
        """All accounts, by address."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL).fetchall())
        accounts = [account_from(row) for row in rows]
        return [account for account in accounts if domain is None or account.domain == domain]

    async def credentials(self, address: str) -> list[Credential]:
        """The password's credentials, by mechanism."""
        rows = await self._readers.run(lambda connection: connection.execute(_CREDENTIALS, (address,)).fetchall())
        return [credential_from(row) for row in rows]

    async def iterations(self) -> dict[int, int]:
        """The numbers of rounds in use, each with how many credentials have it. Reads all credentials."""
        rows = await self._readers.run(lambda connection: connection.execute(_ITERATIONS).fetchall())
        return dict(rows)

    async def set_credentials(self, account_id: int, credentials: Sequence[Credential]) -> None:
        """Replace the password and forget the tokens; raises NotFound("account-not-found")."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_DELETE_CREDENTIALS, (account_id,))
            connection.execute(_FORGET_TOKENS, (account_id,))
            _add_credentials(connection, account_id, credentials)

        await self._writer.run(change)

    async def add_credential(self, account_id: int, credential: Credential) -> bool:
        """Keep the password's credential for one more mechanism; raises NotFound("account-not-found")."""
        row = (account_id, *credential_row(credential))
        return await self._writer.run(lambda connection: connection.execute(_ADD_MISSING_CREDENTIAL, row).rowcount > 0)

    async def set_suspended(self, account_id: int, is_suspended: bool) -> None:
        """Suspend or resume; raises NotFound("account-not-found")."""

        def change(connection: sqlite3.Connection) -> None:
            if connection.execute(_SET_SUSPENDED, (is_suspended, account_id)).rowcount == 0:
                raise NotFound("account-not-found")

        await self._writer.run(change)

    async def remove(self, account_id: int) -> None:
        """Delete the account and what belongs to it; an unknown id is fine.

        The account is gone for everyone with the first transaction. Its mailbox goes in pieces; what a crash leaves of
        it goes at the next start.
        """

        def hide(connection: sqlite3.Connection) -> None:
            connection.execute(_HIDE, (account_id,))
            for delete in _BELONGINGS:
                connection.execute(delete, (account_id,))

        await self._writer.run(hide)
        await self._delete(account_id)

    async def finish_removals(self) -> int:
        """Delete what an interrupted `remove` left; returns how many accounts."""
        rows = await self._readers.run(lambda connection: connection.execute(_HIDDEN).fetchall())
        for (account_id,) in rows:
            await self._delete(account_id)
        return len(rows)

    async def _delete(self, account_id: int) -> None:
        def piece(connection: sqlite3.Connection) -> bool:
            keys = connection.execute(_ENTRIES, {"account": account_id, "limit": _PIECE}).fetchall()
            connection.executemany(_DELETE_ENTRY, keys)
            if len(keys) == _PIECE:
                return False
            connection.execute(_DELETE, (account_id,))
            return True

        while not await self._writer.run(piece):
            pass


def add_account(connection: sqlite3.Connection, address: str, credentials: Sequence[Credential], now: int) -> Account:
    """Create an account within a transaction; raises Conflict("account-exists")."""
    if connection.execute(_FIND, (address,)).fetchone() is not None:
        raise Conflict("account-exists", f"there is an account {address} already")
    account_id = connection.execute(_ADD, (address, now)).lastrowid or 0
    _add_credentials(connection, account_id, credentials)
    return Account(account_id, address, now)


def _add_credentials(connection: sqlite3.Connection, account_id: int, credentials: Sequence[Credential]) -> None:
    rows = [(account_id, *credential_row(credential)) for credential in credentials]
    connection.executemany(_ADD_CREDENTIAL, rows)
