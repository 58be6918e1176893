"""Blocks and reports in memory."""

from __future__ import annotations

from collections.abc import Sequence

from parley.domain.errors import LimitReached
from parley.domain.people.blocking import Complaint, Report
from parley.storage.memory.state import Tables


class MemoryBlocks:
    """Who blocks whom, and reports about the blocked."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def blocked(self, account_id: int) -> list[str]:
        """The addresses that an account blocks, in the order in which it did."""
        table = self._tables.accounts.get(account_id)
        return [] if table is None else list(table.blocked)

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
        if not addresses and not complaints:
            return
        table, reports = self._tables.account(account_id), self._tables.reports
        blocked = list(dict.fromkeys((*table.blocked, *addresses)))
        if len(blocked) > max(limit, len(table.blocked)):
            raise LimitReached("too-many-blocked")
        table.blocked = blocked
        for complaint in complaints:
            self._tables.last_report_id += 1
            reports[self._tables.last_report_id] = (account_id, now, complaint)
        own = [report_id for report_id, (reporter, _, _) in reports.items() if reporter == account_id]
        for report_id in own[: max(len(own) - reports_kept, 0)] if complaints else ():
            del reports[report_id]

    async def unblock(self, account_id: int, addresses: Sequence[str] | None) -> list[str]:
        """Block these addresses no longer (None: any); returns those that were blocked, in their order."""
        table = self._tables.accounts.get(account_id)
        if table is None:
            return []
        gone = [address for address in table.blocked if addresses is None or address in addresses]
        table.blocked = [address for address in table.blocked if address not in gone]
        return gone

    async def reports(self, limit: int, before: int | None = None) -> list[Report]:
        """The newest reports first; with `before`, those with lower ids."""
        ids = [each for each in reversed(self._tables.reports) if before is None or each < before]
        return [self._report(report_id) for report_id in ids[:limit]]

    def _report(self, report_id: int) -> Report:
        account_id, reported_at, complaint = self._tables.reports[report_id]
        reporter = self._tables.accounts.get(account_id)
        return Report(report_id, "" if reporter is None else reporter.account.address, reported_at, complaint)

    async def dismiss(self, report_id: int) -> bool:
        """Forget a report; False if there was none."""
        return self._tables.reports.pop(report_id, None) is not None
