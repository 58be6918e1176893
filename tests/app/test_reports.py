"""Reports of spam and abuse, read by command without a server."""

from __future__ import annotations

import asyncio

from tests.app.calling import Cli

from parley.base.clock import SystemClock
from parley.domain.people.blocking import Complaint
from parley.storage.sqlite.store import SqliteStorage


async def _report(cli: Cli) -> None:
    async with SqliteStorage(cli.data / "parley.db", SystemClock()) as storage:
        account = await storage.accounts.add("alice@example.org", [], 1)
        complaints = [
            Complaint("spam.example", "urn:xmpp:reporting:spam", "Buy\nnothing", ("1", "2")),
            Complaint("bob@example.org", "urn:xmpp:reporting:abuse", may_tell_origin=True),
        ]
        await storage.blocks.block(account.id, (), complaints, 1_000_000, limit=9, reports_kept=9)


def test_reports_are_listed_and_put_away(cli: Cli) -> None:
    asyncio.run(_report(cli))
    second, first = cli.json("report", "list")["reports"]
    assert first == {
        "id": 1,
        "reported_at": "1970-01-01T00:00:01Z",
        "reporter": "alice@example.org",
        "address": "spam.example",
        "reason": "urn:xmpp:reporting:spam",
        "text": "Buy\nnothing",
        "message_ids": ["1", "2"],
        "may_tell_origin": False,
        "may_tell_others": False,
    }
    assert (second["id"], second["may_tell_origin"]) == (2, True)
    listed = cli("report", "list").stdout
    assert "spam.example: urn:xmpp:reporting:spam  from alice@example.org  2 messages  Buy nothing" in listed
    assert [each["id"] for each in cli.json("report", "list", "--before", "2")["reports"]] == [1]
    assert [each["id"] for each in cli.json("report", "list", "--limit", "1")["reports"]] == [2]
    assert cli("report", "dismiss", "1").exit_code == 0
    assert cli("report", "dismiss", "1").exit_code == 1
    assert [each["id"] for each in cli.json("report", "list")["reports"]] == [2]
