"""`parley push`: what devices registered, and the chain to their services."""

from __future__ import annotations

import asyncio

from tests.app.calling import Cli

from parley.base.clock import SystemClock
from parley.domain.push import MAX_REFUSALS, Registration
from parley.storage.sqlite.store import SqliteStorage


def register(cli: Cli, registration: Registration) -> None:
    async def put() -> None:
        async with SqliteStorage(cli.data / "parley.db", SystemClock()) as storage:
            account = await storage.accounts.find("alice@example.org")
            assert account is not None
            await storage.push.put(account.id, registration, 10)

    asyncio.run(put())


def test_registrations_are_listed_with_what_became_of_them(cli: Cli) -> None:
    cli.json("user", "add", "alice@example.org", "--password-stdin", given="secret")
    assert cli.json("push", "list", "alice@example.org")["registrations"] == []
    registration = Registration(
        "push.example.net", "n", b"", "phone", 1_000_000, 0, "item-not-found", refusals=MAX_REFUSALS
    )
    register(cli, registration)
    assert cli.json("push", "list", "alice@example.org")["registrations"] == [
        {
            "device": "phone",
            "service": "push.example.net",
            "node": "n",
            "created_at": "1970-01-01T00:00:01+00:00",
            "last_ok_at": None,
            "last_error": "item-not-found",
            "is_resting": True,
        }
    ]
    shown = cli("push", "list", "alice@example.org").output
    assert "last taken never" in shown
    assert "last problem: item-not-found" in shown
    assert "rests until the device registers again" in shown


def test_nothing_is_sent_without_a_server(cli: Cli) -> None:
    cli.json("user", "add", "alice@example.org", "--password-stdin", given="secret")
    assert cli("push", "test", "alice@example.org").exit_code == 0
    register(cli, Registration("push.example.net", "n", b"", "phone", 1_000_000))
    refused = cli("push", "test", "alice@example.org")
    assert refused.exit_code == 1
    assert "server-not-running" in refused.output or "the server does not run" in refused.output
    assert cli("push", "test", "nobody@example.org").exit_code == 1
