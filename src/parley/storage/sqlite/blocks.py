"""`BlockStore` on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from parley.domain.errors import LimitReached
from parley.domain.people.blocking import Complaint, Report
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_BLOCKED = sql("blocks.blocked")
_BLOCK = sql("blocks.block")
_COUNT = sql("blocks.count")
_UNBLOCK = sql("blocks.unblock")
_REPORT = sql("blocks.report")
_TRIM_REPORTS = sql("blocks.trim_reports")
_REPORTS = sql("blocks.reports")
_DISMISS = sql("blocks.dismiss")

_LARGEST_ID: Final = 2**63 - 1


class SqliteBlocks:
    """Who blocks whom, and reports about the blocked."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def blocked(self, account_id: int) -> list[str]:
        """The addresses that an account blocks, in the order in which it did."""
        return await self._readers.run(lambda connection: _blocked(connection, account_id))

    async def block(
        self,
        account_id: int,
        addresses: Sequence[str],
        complaints: Sequence[Complaint],
        now: int,
        *,
        limit: int,
        reports_kept: int,
    ) -> None:
        """Block addresses and record what is said about them; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            before = _count(connection, account_id)
            connection.executemany(_BLOCK, [(account_id, address) for address in addresses])
            after = _count(connection, account_id)
            if after > before and after > limit:
                raise LimitReached("too-many-blocked")
            if complaints:
                connection.executemany(_REPORT, [_report_row(account_id, now, each) for each in complaints])
                connection.execute(_TRIM_REPORTS, {"account": account_id, "keep": reports_kept})

        await self._writer.run(change)

    async def unblock(self, account_id: int, addresses: Sequence[str] | None) -> list[str]:
        """Block these addresses no longer (None: any); returns those that were blocked, in their order."""

        def change(connection: sqlite3.Connection) -> list[str]:
            known = _blocked(connection, account_id)
            gone = known if addresses is None else [address for address in known if address in addresses]
            connection.executemany(_UNBLOCK, [(account_id, address) for address in gone])
            return gone

        return await self._writer.run(change)

    async def reports(self, limit: int, before: int | None = None) -> list[Report]:
        """The newest reports first; with `before`, those with lower ids."""
        bounds = (_LARGEST_ID if before is None else before, limit)
        rows = await self._readers.run(lambda connection: connection.execute(_REPORTS, bounds).fetchall())
        return [_report_from(row) for row in rows]

    async def dismiss(self, report_id: int) -> bool:
        """Forget a report; False if there was none."""
        return await self._writer.run(lambda connection: connection.execute(_DISMISS, (report_id,)).rowcount > 0)


def _blocked(connection: sqlite3.Connection, account_id: int) -> list[str]:
    return [row[0] for row in connection.execute(_BLOCKED, (account_id,)).fetchall()]


def _count(connection: sqlite3.Connection, account_id: int) -> int:
    (count,) = connection.execute(_COUNT, (account_id,)).fetchone()
    return int(count)


def _report_row(account_id: int, now: int, complaint: Complaint) -> Row:
    return (
        account_id,
        now,
        complaint.address,
        complaint.reason,
        complaint.text,
        json.dumps(complaint.message_ids, ensure_ascii=False, separators=(",", ":")),
        complaint.may_tell_origin,
        complaint.may_tell_others,
    )


def _report_from(row: Row) -> Report:
    report_id, reporter, reported_at, address, reason, text, message_ids, origin, others = row
    complaint = Complaint(address, reason, text, tuple(json.loads(message_ids)), bool(origin), bool(others))
    return Report(report_id, reporter, reported_at, complaint)
