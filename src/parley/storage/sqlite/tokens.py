"""`TokenStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.tokens import Token
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_FIND = sql("tokens.find")
_FORGET_UNUSED = sql("tokens.forget_unused")
_ADD = sql("tokens.add")
_USE = sql("tokens.use")
_FORGET_OLDER = sql("tokens.forget_older")
_FORGET = sql("tokens.forget")


class SqliteTokens:
    """Tokens; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def find(self, address: str, client: bytes) -> list[Token]:
        """The tokens of an installation, the newest first."""
        rows = await self._readers.run(lambda connection: connection.execute(_FIND, (address, client)).fetchall())
        return [_token_from(row) for row in rows]

    async def issue(self, token: Token) -> bool:
        """Keep a new token; see the port."""
        values = _values(token)

        def change(connection: sqlite3.Connection) -> bool:
            connection.execute(_FORGET_UNUSED, values)
            return connection.execute(_ADD, values).rowcount > 0

        return await self._writer.run(change)

    async def use(self, token: Token, count: int | None) -> bool:
        """The installation has signed in with a token; see the port."""
        values = {**_values(token), "count": count}

        def change(connection: sqlite3.Connection) -> bool:
            if connection.execute(_USE, values).rowcount == 0:
                return False
            connection.execute(_FORGET_OLDER, values)
            return True

        return await self._writer.run(change)

    async def forget(self, account_id: int, client: bytes) -> None:
        """Forget the tokens of an installation."""
        await self._writer.run(lambda connection: connection.execute(_FORGET, (account_id, client)).rowcount)


def _values(token: Token) -> dict[str, object]:
    return {
        "account": token.account_id,
        "client": token.client,
        "nonce": token.nonce,
        "mechanism": token.mechanism,
        "resource": token.resource,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "count": token.count,
        "is_used": token.is_used,
    }


def _token_from(row: Row) -> Token:
    return Token(
        account_id=row[0],
        client=row[1],
        nonce=row[2],
        mechanism=row[3],
        resource=row[4],
        created_at=row[5],
        expires_at=row[6],
        count=row[7],
        is_used=bool(row[8]),
    )
