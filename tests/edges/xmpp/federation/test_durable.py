"""Messages for a partner that is away: on the disk before they are acknowledged, whatever the archive keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.edges.xmpp.federation.net import Server, free_port, one, two_servers, until

from parley.base.config.sections import ArchiveSettings
from parley.base.net.resolver import Target

HI = "<message to='bob@beta.example' type='chat' id='{0}'><body>{0}</body></message>"


def leave(alpha: Server) -> Target:
    """Nobody answers where beta was; returns where that is."""
    (target,) = alpha.names.targets["beta.example"]
    alpha.names.targets["beta.example"] = [Target("localhost", free_port())]
    return target


async def waiting(server: Server) -> list[int]:
    return [total.count for total in await server.storage.outgoing.totals()]


@pytest.mark.parametrize("has_archive", [True, False])
async def test_what_waits_is_stored_with_the_message_and_goes_when_the_partner_is_back(
    tmp_path: Path, has_archive: bool
) -> None:
    async with two_servers(tmp_path, archive=ArchiveSettings(enabled=has_archive)) as (alpha, beta):
        target = leave(alpha)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        for number in range(3):
            await alice.send(HI.format(number))
            # Stored in one go with what the client is told is safe.
            assert await waiting(alpha) == [number + 1]
        alpha.names.targets["beta.example"] = [target]
        await until(lambda: any(link.is_resting for link in alpha.federation.links.of("beta.example")))
        alpha.tick(700)
        for number in range(3):
            await one(bob, f"<body>{number}</body>")
        alpha.tick(1)
        await alpha.delivered()


async def test_a_partner_has_so_much_room_and_the_sender_is_told(tmp_path: Path) -> None:
    async with two_servers(tmp_path, federation={"queue_max_stanzas": 2}) as (alpha, _):
        leave(alpha)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        for number in range(3):
            await alice.send(HI.format(number))
        refused = await one(alice, 'type="error"')
        assert 'id="2"' in refused
        assert "<resource-constraint" in refused
        assert await waiting(alpha) == [2]


async def test_who_is_not_reached_in_time_goes_back_to_the_sender(tmp_path: Path) -> None:
    async with two_servers(tmp_path, federation={"queue_lifetime_s": 60}) as (alpha, _):
        leave(alpha)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send(HI.format(1))
        assert await waiting(alpha) == [1]
        alpha.clock.advance(61)
        for _ in range(60):
            alpha.clock.advance(1)
            await alpha.settle()
        refused = await one(alice, 'type="error"')
        assert 'id="1"' in refused
        assert "<remote-server-timeout" in refused
        await alpha.delivered()


async def test_what_arrived_is_not_sent_again_after_a_restart_in_order(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI.format(1))
        await one(bob, "<body>1")
        assert await waiting(alpha) == [1]
        await alpha.federation.drain()
        await alpha.settle()
        assert await waiting(alpha) == []


async def test_who_says_nothing_holds_up_no_end(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI.format(1))
        await one(bob, "<body>1")
        for connection in beta.federation.connections():
            connection.pause("test")
        async with asyncio.timeout(8):
            await alpha.federation.drain()
        assert await waiting(alpha) == [1]
