"""Connections that break: the stream goes on on another one, nothing is lost and nothing comes twice (XEP-0198 §5)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.edges.xmpp.federation.net import Server, one, two_servers, until

from parley.base.net.resolver import ResolveError
from parley.edges.xmpp.federation.managing import Management, Resumable
from parley.edges.xmpp.federation.ports import Pair

TO_BOB = "<message to='bob@beta.example' type='chat' id='{0}'><body>{0}</body></message>"
TO_ALICE = "<message to='alice@alpha.example' type='chat' id='{0}'><body>{0}</body></message>"


def cut(*servers: Server) -> None:
    for server in servers:
        for connection in server.federation.connections():
            connection.abort()


async def resumed(alpha: Server, beta: Server) -> None:
    """Until the stream that alpha opened goes on."""
    await until(lambda: not alpha.streams and not beta.streams)
    alpha.tick(0)
    await until(lambda: alpha.streams == ["out"] and beta.streams == ["in"])


async def test_what_arrived_does_not_come_again_and_what_did_not_does(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("arrived"))
        await one(bob, "<body>arrived")
        # Nobody has asked yet what arrived: without resumption it would be sent again.
        for connection in beta.federation.connections():
            connection.pause("test")
        await alice.send(TO_BOB.format("lost"))
        cut(alpha, beta)
        await alice.send(TO_BOB.format("later"))
        await resumed(alpha, beta)
        await until(lambda: len(bob.connection.sent) == 2)
        assert [text.partition("<body>")[2].partition("<")[0] for text in bob.take()] == ["lost", "later"]
        await alpha.delivered()


async def test_what_came_in_is_handled_to_its_end_before_the_stream_goes_on(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        reached, gate = asyncio.Event(), asyncio.Event()
        admit = beta.host.acquaintances.admit

        async def slowly(*arguments: Any) -> bool:
            reached.set()
            await gate.wait()
            return await admit(*arguments)

        beta.host.acquaintances.admit = slowly  # type: ignore[method-assign]
        await alice.send(*(TO_BOB.format(number) for number in range(3)))
        await reached.wait()
        cut(alpha, beta)
        await until(lambda: not alpha.streams and not beta.streams)
        alpha.tick(0)
        await until(lambda: any(each.managed.resuming for each in beta.federation.connections()))
        bob.expect()
        gate.set()
        await until(lambda: alpha.streams == ["out"])
        await alpha.delivered()
        assert [text.partition("<body>")[2].partition("<")[0] for text in bob.take()] == ["0", "1", "2"]


async def test_both_directions_of_a_stream_go_on(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        await bob.send(TO_ALICE.format("arrived"))
        await one(alice, "<body>arrived")
        for connection in alpha.federation.connections():
            connection.pause("test")
        await bob.send(TO_ALICE.format("lost"))
        cut(alpha, beta)
        await bob.send(TO_ALICE.format("later"))
        beta.tick(0)
        # Who was called waits for the other one: no stream of its own, no stanza out of turn.
        assert beta.names.asked == ["beta.example"]
        await resumed(alpha, beta)
        await until(lambda: len(alice.connection.sent) == 2)
        assert [text.partition("<body>")[2].partition("<")[0] for text in alice.take()] == ["lost", "later"]
        await beta.delivered()


async def test_again_and_again(tmp_path: Path) -> None:
    async with two_servers(tmp_path, federation={"resume_s": 600}) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        for number in range(8):
            await alice.send(TO_BOB.format(number))
            await one(bob, f"<body>{number}<")
            await bob.send(TO_ALICE.format(number))
            await one(alice, f"<body>{number}<")
            cut(alpha, beta)
            await resumed(alpha, beta)
        assert not bob.connection.sent
        assert not alice.connection.sent
        await alpha.delivered()


async def test_a_stream_that_the_other_end_takes_for_alive_gives_way(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        (old,) = alpha.federation.connections()
        (theirs,) = beta.federation.connections()
        # To alpha the connection is gone; nobody tells beta.
        old._over(None)
        alpha.tick(0)
        await until(lambda: alpha.streams == ["out"] and theirs.is_lost)
        await until(lambda: beta.streams == ["in"])
        await alice.send(TO_BOB.format(2))
        assert "<body>2" in await one(bob, "<body>")
        await bob.send(TO_ALICE.format(3))
        await one(alice, "<body>3")
        old.abort()


async def test_when_the_time_is_over_the_count_still_tells_what_arrived(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("arrived"))
        await one(bob, "<body>arrived")
        cut(alpha, beta)
        await until(lambda: not alpha.streams and not beta.streams)
        beta.tick(61)
        await alice.send(TO_BOB.format("later"))
        assert "<body>later" in await one(bob, "<body>")
        await alpha.delivered()


async def test_a_partner_that_does_not_come_back_is_called(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        cut(alpha, beta)
        await until(lambda: not beta.streams)
        await bob.send(TO_ALICE.format("to you"))
        beta.tick(9)
        assert beta.names.asked == ["beta.example"]
        beta.tick(2)
        assert "to you" in await one(alice, "<body>")


async def test_requests_go_back_when_the_partner_cannot_be_reached_and_are_not_sent_then(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        for connection in beta.federation.connections():
            connection.pause("test")
        await alice.send("<iq to='bob@beta.example/b' type='get' id='q'><x xmlns='urn:x'/></iq>", TO_BOB.format(2))
        here = alpha.names.targets.pop("beta.example")
        cut(alpha, beta)
        await until(lambda: not alpha.streams)

        async def nothing(_domain: str) -> list[object]:
            raise ResolveError("no answer")

        servers, alpha.names.servers = alpha.names.servers, nothing  # type: ignore[method-assign, assignment]
        alpha.tick(0)
        assert "<remote-server-timeout" in await one(alice, 'id="q"')
        alpha.names.servers = servers  # type: ignore[method-assign]
        alpha.names.targets["beta.example"] = here
        alpha.tick(30)
        assert "<body>2" in await one(bob, "<")


@pytest.mark.parametrize("who", ["alpha", "beta"])
async def test_where_it_is_switched_off_everything_is_sent_again(tmp_path: Path, who: str) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        off = {"alpha": alpha, "beta": beta}[who]
        off.host.settings = off.host.settings.model_copy(
            update={"federation": off.settings.federation.model_copy(update={"resume_s": 0})}
        )
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("twice"))
        await one(bob, "<body>twice")
        cut(alpha, beta)
        await until(lambda: not alpha.streams and not beta.streams)
        alpha.tick(60)
        await one(bob, "<body>twice")


def test_a_stream_is_resumed_by_its_own_pair_alone_and_the_oldest_are_forgotten() -> None:
    names = iter("abc")
    known = Resumable(lambda: next(names), lambda: 2)
    pair, stream = Pair("alpha.example", "beta.example"), object.__new__(Management)
    stream.until = 0.0
    assert known.add(pair, stream) == "a"
    assert known.find("a", pair) is stream
    assert known.find("a", Pair("alpha.example", "gamma.example")) is None
    known.add(pair, stream)
    known.add(pair, stream)
    assert known.find("a", pair) is None
    assert known.find("c", pair) is stream
    stream.until = 100.0
    known.expire(3700)
    assert known.find("c", pair) is stream
    known.expire(3701)
    assert known.find("c", pair) is None


async def _settle(alpha: Server, beta: Server) -> None:
    """Until each has everything that the other one sent."""
    async with asyncio.timeout(20):
        while await alpha.storage.outgoing.totals() or await beta.storage.outgoing.totals():
            alpha.tick(0.01)
            beta.tick(0.01)
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("seed", range(8))
async def test_whenever_it_breaks_everything_arrives_once_and_in_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    sent: dict[str, list[str]] = {"alice": [], "bob": []}
    async with two_servers(tmp_path, federation={"resume_s": 3600, "stranger_messages_per_hour": 10_000}) as servers:
        alpha, beta = servers
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        sides = {"alice": (alice, TO_BOB), "bob": (bob, TO_ALICE)}
        cuts = 0
        for number in range(120):
            name = chance.choice(["alice", "bob"])
            client, words = sides[name]
            sent[name].append(f"{name}{number}")
            await client.send(words.format(f"{name}{number}"))
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
            if chance.random() < 0.2:
                cut(*chance.choice([(alpha,), (beta,), (alpha, beta)]))
                cuts += 1
            if chance.random() < 0.3:
                chance.choice(servers).tick(0.02)
            if cuts == 2:
                # A stanza at which three connections broke would go back.
                await _settle(alpha, beta)
                cuts = 0
        await _settle(alpha, beta)
        await until(lambda: len(bob.connection.sent) >= len(sent["alice"]))
        await until(lambda: len(alice.connection.sent) >= len(sent["bob"]))
        for client, name in ((bob, "alice"), (alice, "bob")):
            assert [text.partition("<body>")[2].partition("<")[0] for text in client.take()] == sent[name]
