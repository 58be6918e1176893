"""`PartnerStore` on SQLite."""

from __future__ import annotations

import json
import sqlite3

from parley.domain.partners.agreements import Action, Agreement, Change
from parley.domain.partners.documents import from_document, to_document
from parley.domain.partners.ports import Edit
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ALL = sql("partners.all")
_FIND = sql("partners.find")
_PUT = sql("partners.put")
_NOTE = sql("partners.note")
_HISTORY = sql("partners.history")
_HISTORY_OF = sql("partners.history_of")


class SqlitePartners:
    """Agreements with their history; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def all(self) -> list[Agreement]:
        """All of them, revoked ones too, by domain."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL).fetchall())
        return [_agreement(row[0]) for row in rows]

    async def edit(self, domain: str, edit: Edit, *, action: Action, by: str, now: int) -> Agreement:
        """Change the domain's agreement and note who did it; see the port."""

        def change(connection: sqlite3.Connection) -> Agreement:
            row = connection.execute(_FIND, (domain,)).fetchone()
            made = edit(None if row is None else _agreement(row[0]))
            values = {"domain": domain, "terms": json.dumps(to_document(made), ensure_ascii=False)}
            connection.execute(_PUT, values)
            connection.execute(_NOTE, {**values, "at": now, "by": by, "action": action.value})
            return made

        return await self._writer.run(change)

    async def history(self, domain: str | None, limit: int) -> list[Change]:
        """The newest changes first."""
        values = {"domain": domain, "limit": limit}
        statement = _HISTORY if domain is None else _HISTORY_OF
        rows = await self._readers.run(lambda connection: connection.execute(statement, values).fetchall())
        return [_change(row) for row in rows]


def _agreement(terms: str) -> Agreement:
    return from_document(json.loads(terms))


def _change(row: Row) -> Change:
    return Change(id=row[0], at=row[1], by=row[2], action=Action(row[3]), agreement=_agreement(row[4]))
