"""What operators can do about reports of spam and abuse: read them, and put them away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from parley.app import requests
from parley.domain.errors import NotFound

if TYPE_CHECKING:
    from parley.app.requests import Document
    from parley.domain.people.blocking import Report
    from parley.domain.people.ports import BlockStore


class Reporting:
    """Answers requests about reports."""

    def __init__(self, blocks: BlockStore) -> None:
        self._blocks = blocks
        self.handlers: dict[type[Any], Callable[[Any], Awaitable[Document]]] = {
            requests.ListReports: self._list,
            requests.DismissReport: self._dismiss,
        }

    async def _list(self, request: requests.ListReports) -> Document:
        reports = await self._blocks.reports(request.limit, request.before or None)
        return {"reports": [_report(each) for each in reports]}

    async def _dismiss(self, request: requests.DismissReport) -> Document:
        if not await self._blocks.dismiss(request.id):
            raise NotFound("report-not-found", f"there is no report {request.id}")
        return {"dismissed": request.id}


def _report(report: Report) -> Document:
    complaint = report.complaint
    return {
        "id": report.id,
        "reported_at": datetime.fromtimestamp(report.reported_at / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reporter": report.reporter,
        "address": complaint.address,
        "reason": complaint.reason,
        "text": complaint.text,
        "message_ids": list(complaint.message_ids),
        "may_tell_origin": complaint.may_tell_origin,
        "may_tell_others": complaint.may_tell_others,
    }
