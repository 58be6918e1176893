"""Agreements on streams that are there: what ends them, what slows them, what is refused on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.edges.xmpp.federation.net import Server, one, two_servers, until

from parley.domain.partners.agreements import Agreement, Rates, StanzaKind
from parley.edges.xmpp.federation.policy import PartnerPolicy

ALPHA, BETA = Agreement("alpha.example"), Agreement("beta.example")
HI = "<message to='bob@beta.example' type='chat' id='m'><body>{0}</body></message>"


def govern(server: Server, *agreements: Agreement) -> PartnerPolicy:
    """Give a server the real policy."""
    policy = PartnerPolicy(lambda: server.settings.federation, server.clock, frozenset)
    policy.learn(agreements)
    server.federation.policy = policy
    return policy


def settings(**others: object) -> dict[str, object]:
    return {"federation": {"mode": "agreement", **others}}


async def test_a_revoked_agreement_cuts_the_stream_and_says_so_to_senders(tmp_path: Path) -> None:
    async with two_servers(tmp_path, **settings()) as (alpha, beta):
        govern(alpha, BETA)
        theirs = govern(beta, ALPHA)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI.format(1))
        await one(bob, "<body>1</body>")
        theirs.learn([replace(ALPHA, revoked_at=1)])
        beta.tick(0)
        await until(lambda: not beta.streams and not alpha.streams)
        await bob.send("<message to='alice@alpha.example' type='chat' id='2'><body>2</body></message>")
        refused = await one(bob, 'type="error"')
        assert "<not-allowed" in refused
        assert "no agreement with that server is in force" in refused
        # What the partner sends meanwhile waits there; it does not get in.
        await alice.send(HI.format(3))
        await until(lambda: any(link.is_resting for link in alpha.federation.links.of("beta.example")))
        assert not beta.streams
        theirs.learn([ALPHA])
        alpha.tick(60)
        await one(bob, "<body>3</body>")


async def test_an_agreement_that_expires_cuts_the_stream_that_it_was_made_for(tmp_path: Path) -> None:
    async with two_servers(tmp_path, **settings()) as (alpha, beta):
        govern(alpha, BETA)
        govern(beta, replace(ALPHA, expires_at=beta.clock.now_us() + 60_000_000))
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI.format(1))
        await one(bob, "<body>1</body>")
        beta.tick(59)
        assert beta.streams == ["in"]
        beta.tick(2)
        await until(lambda: not beta.streams and not alpha.streams)
        assert beta.metrics.value("parley_refused_total", code="agreement-expired") >= 1
        await bob.send("<message to='alice@alpha.example' type='chat' id='2'><body>2</body></message>")
        assert "<not-allowed" in await one(bob, 'type="error"')


async def test_a_defect_that_a_stanza_meets_ends_its_stream_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_servers(tmp_path, **settings()) as (alpha, beta):
        govern(alpha, BETA)
        policy = govern(beta, ALPHA)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI.format(1))
        await one(bob, "<body>1</body>")
        good = policy.stanza

        def broken(*_: object) -> float:
            raise ZeroDivisionError

        policy.stanza = broken  # type: ignore[method-assign, assignment]
        await alice.send(HI.format(2))
        await until(lambda: not beta.streams and not alpha.streams)
        assert "server stream failed" in caplog.text
        policy.stanza = good  # type: ignore[method-assign]
        alpha.tick(60)
        await one(bob, "<body>2</body>")


async def test_what_is_not_agreed_is_refused_with_its_reason_and_the_stream_stays(tmp_path: Path) -> None:
    async with two_servers(tmp_path, **settings()) as (alpha, beta):
        govern(alpha, BETA)
        govern(beta, replace(ALPHA, kinds=frozenset({StanzaKind.MESSAGES}), max_stanza_bytes=10_000))
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        link = "<x xmlns='jabber:x:oob'><url>https://alpha.example/f</url></x>"
        await alice.send(f"<message to='bob@beta.example' type='chat' id='f'><body>f</body>{link}</message>")
        assert "<not-allowed" in await one(alice, 'type="error"')
        await alice.send(HI.format("x" * 10_000))
        assert "<policy-violation" in await one(alice, 'type="error"')
        await alice.send(HI.format("fine"))
        assert "fine" in await one(bob, "<body>")
        assert beta.streams == ["in"]


async def test_our_own_server_refuses_what_the_partner_would_not_want(tmp_path: Path) -> None:
    async with two_servers(tmp_path, **settings()) as (alpha, beta):
        govern(alpha, replace(BETA, kinds=frozenset({StanzaKind.PRESENCE})))
        govern(beta, ALPHA)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send(HI.format(1))
        assert "stanzas of this kind are not agreed" in await one(alice, 'type="error"')
        assert not alpha.streams
        assert await alpha.storage.outgoing.totals() == []


async def test_a_flood_is_read_slowly_and_then_not_at_all(tmp_path: Path) -> None:
    slow = replace(ALPHA, rates=Rates(10, 10, 1e6, 1e6))
    async with two_servers(
        tmp_path, **settings(flood_after_s=5, stranger_messages_per_hour=100_000, retry_min_s=1)
    ) as (alpha, beta):
        govern(alpha, BETA)
        policy = govern(beta, slow)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        seen: list[str] = []

        def bodies() -> int:
            seen.extend(text for text in bob.take() if "<body>" in text)
            return len(seen)

        number = 0
        while not policy.cut_s("alpha.example"):
            for _ in range(20):
                await alice.send(HI.format(number))
                number += 1
            await until(lambda: beta.clock.sleepers or policy.cut_s("alpha.example"))
            beta.clock.advance(0.5)
            await beta.settle()
            assert number < 20_000
        await until(lambda: not beta.streams)
        assert bodies() < number
        assert policy.cut_s("alpha.example") == 30
        assert beta.metrics.value("parley_refused_total", code="flooding") >= 1
        # Nothing is lost and nothing comes twice: it waits at the partner until the cut is over.
        policy.learn([ALPHA])
        await until(lambda: any(link.is_resting for link in alpha.federation.links.of("beta.example")))
        beta.clock.advance(31)
        alpha.tick(700)
        await until(lambda: bodies() == number)
        assert [text.partition("<body>")[2].partition("<")[0] for text in seen] == [str(each) for each in range(number)]


async def test_each_further_cut_is_longer(tmp_path: Path) -> None:
    slow = replace(ALPHA, rates=Rates(10, 10, 1e6, 1e6))
    async with two_servers(
        tmp_path, **settings(flood_after_s=5, stranger_messages_per_hour=100_000, retry_min_s=1)
    ) as (alpha, beta):
        govern(alpha, BETA)
        policy = govern(beta, slow)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        cuts = []
        for _ in range(3):
            for number in range(3000):
                if policy.cut_s("alpha.example"):
                    break
                await alice.send(HI.format(number))
                if number % 20 == 0:
                    await until(lambda: beta.clock.sleepers or policy.cut_s("alpha.example"))
                    beta.clock.advance(0.5)
                    await beta.settle()
            cuts.append(policy.cut_s("alpha.example"))
            await until(lambda: not beta.streams and not alpha.streams)
            beta.clock.advance(cuts[-1] + 1)
            alpha.tick(700)
        assert cuts == [30, 60, 120]
