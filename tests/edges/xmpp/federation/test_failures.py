"""Partners that cannot be reached, are not who they say, or break off: what becomes of stanzas, and who is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.edges.xmpp.federation.net import Names, Server, free_port, one, two_servers, until
from tests.support.certificates import Authority

from parley.base.net.resolver import Target
from parley.edges.xmpp.federation.errors import Unreachable
from parley.edges.xmpp.federation.ports import Direction, Kind, Permission, Refusal
from parley.protocols.xmpp.dialback import Dialback
from parley.protocols.xmpp.errors import StanzaCondition, StreamCondition

TO_BOB = "<message to='bob@beta.example' type='chat' id='{0}'><body>{0}</body></message>"
PING = "<iq to='beta.example' type='get' id='{}'><ping xmlns='urn:xmpp:ping'/></iq>"


async def test_messages_wait_while_the_partner_is_away_and_requests_do_not(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        here = alpha.names.targets["beta.example"]
        alpha.names.targets["beta.example"] = [Target("localhost", free_port())]
        await alice.send(TO_BOB.format("kept"), PING.format("p"))
        error = await one(alice, 'type="error"')
        assert 'id="p"' in error
        assert "<remote-server-timeout" in error
        asked = len(alpha.names.asked)
        # While the partner is left alone nothing is tried: requests fail at once, messages are taken.
        await alice.send(TO_BOB.format("too"), PING.format("q"))
        assert 'id="q"' in await one(alice, 'type="error"')
        assert len(alpha.names.asked) == asked
        alpha.names.targets["beta.example"] = here
        alpha.tick(60)
        assert "kept" in await one(bob, "<body>")
        assert "too" in await one(bob, "<body>")
        alpha.tick(1)
        await alpha.delivered()


async def test_the_waits_grow(tmp_path: Path) -> None:
    async with two_servers(tmp_path, federation={"retry_min_s": 10, "retry_max_s": 40}) as (alpha, _beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        alpha.names.targets["beta.example"] = [Target("localhost", free_port())]
        await alice.send(TO_BOB.format("kept"))
        tries = []
        for _ in range(4):
            seen = len(tries) + 1
            await until(lambda n=seen: len(alpha.names.asked) == n)
            link = alpha.federation.links.of("beta.example")[0]
            await until(lambda it=link: it.is_resting)
            waited = 0
            while link.is_resting:
                waited += 1
                alpha.clock.advance(1)
            tries.append(waited)
            alpha.tick(0)
        bounds = ((5, 11), (10, 21), (20, 41), (20, 41))
        assert all(low <= wait <= high for wait, (low, high) in zip(tries, bounds, strict=True)), tries


async def test_a_domain_that_does_not_exist_is_told_at_once(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, _beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send("<message to='bob@gamma.example' type='chat' id='1'><body>hi</body></message>")
        error = await one(alice, 'type="error"')
        assert "<remote-server-not-found" in error
        assert 'from="bob@gamma.example"' in error
        await alpha.delivered()
        assert alpha.metrics.value("parley_bounces_total", code="remote-server-not-found") == 1


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        ({"to_days": 0, "from_days": -2}, "certificate-untrusted"),
        ({"domain": "gamma.example"}, "certificate-wrong-name"),
    ],
)
async def test_a_certificate_that_is_not_valid(tmp_path: Path, signed: dict[str, object], code: str) -> None:
    names, authority = Names(), Authority(tmp_path)
    domain = str(signed.pop("domain", "beta.example"))
    async with (
        Server("alpha.example", names, authority, authority.sign("alpha.example")) as alpha,
        Server("beta.example", names, authority, authority.sign(domain, **signed)) as beta,  # type: ignore[arg-type]
    ):
        await alpha.add("alice@alpha.example")
        await beta.add("bob@beta.example")
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("hi"))
        error = await one(alice, 'type="error"')
        # RFC 6120 §8.3.3.17: it is there and cannot be authenticated, and waiting does not help.
        assert "<remote-server-timeout" in error
        assert 'type="cancel"' in error
        assert alpha.metrics.value("parley_refused_total", code=code) == 1
        # The other way it is the one who is called that refuses.
        await bob.send("<iq to='alpha.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert 'id="p"' in await one(bob, 'type="error"')
        assert not [seen for seen in alpha.policy.seen if seen[1] is Direction.IN]


async def test_dialback_where_an_agreement_allows_it(tmp_path: Path) -> None:
    names, authority = Names(), Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    async with (
        Server("alpha.example", names, authority, authority.sign("alpha.example")) as alpha,
        Server("beta.example", names, authority, stranger.sign("beta.example")) as beta,
    ):
        alpha.policy.permission = Permission(is_dialback_allowed=True)
        await alpha.add("alice@alpha.example")
        await beta.add("bob@beta.example")
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("out"))
        assert "out" in await one(bob, "<body>")
        # The first handshake fails for the certificate; then none is asked for, and the name system vouches.
        for number in range(3):
            await bob.send(f"<message to='alice@alpha.example' type='chat' id='{number}'><body>in</body></message>")
            beta.tick(60)
            await asyncio.sleep(0)
        assert "in" in await one(alice, "<body>")


async def test_what_was_not_acknowledged_is_sent_again(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("first"))
        await one(bob, "<body>first")
        for connection in beta.federation.connections():
            connection.pause("test")
        await alice.send(TO_BOB.format("second"))
        for connection in (*alpha.federation.connections(), *beta.federation.connections()):
            connection.abort()
        await until(lambda: not alpha.streams)
        alpha.tick(60)
        await one(bob, "<body>second")


async def test_a_stream_ends_when_the_policy_changes_its_mind(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("hi"))
        await one(bob, "<body>hi")
        refusal = Refusal("agreement-revoked", StanzaCondition.NOT_ALLOWED, "there is no agreement any more")
        beta.policy.permission = refusal
        beta.tick(1)
        await until(lambda: not alpha.streams and not beta.streams)
        await bob.send("<message to='alice@alpha.example' type='chat' id='2'><body>no</body></message>")
        error = await one(bob, 'type="error"')
        assert "<not-allowed" in error
        assert "there is no agreement any more" in error


async def test_a_stanza_that_is_not_agreed_is_answered(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        beta.policy.verdict = Refusal("kind-not-agreed", StanzaCondition.NOT_ALLOWED, "not this")
        await alice.send(TO_BOB.format("hi"))
        error = await one(alice, 'type="error"')
        assert "<not-allowed" in error
        assert ("alpha.example", Direction.IN, Kind.MESSAGES) in beta.policy.seen
        await beta.settle()
        bob.expect()


async def test_a_flood_is_read_slowly(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        beta.policy.verdict = 5.0
        await alice.send(TO_BOB.format("one"))
        await one(bob, "<body>one")
        beta.policy.verdict = 0.0
        await alice.send(TO_BOB.format("two"))
        await until(lambda: alpha.streams)
        await beta.settle()
        bob.expect()
        beta.clock.advance(6)
        await one(bob, "<body>two")


async def test_too_many_connections_of_one_address(tmp_path: Path) -> None:
    async with two_servers(tmp_path, federation={"max_connections_per_address": 2}) as (_alpha, beta):
        connections = [await asyncio.open_connection("127.0.0.1", beta.port) for _ in range(3)]
        assert await connections[2][0].read() == b""
        connections[0][1].close()
        await until(lambda: len(beta.federation.connections()) == 1)
        for _reader, writer in connections:
            writer.close()


async def test_nobody_stays_without_proving_who_they_are(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (_alpha, beta):
        reader, writer = await asyncio.open_connection("127.0.0.1", beta.port)
        await until(beta.federation.connections)
        beta.tick(31)
        assert StreamCondition.CONNECTION_TIMEOUT.value in (await reader.read()).decode()
        writer.close()


async def test_direct_tls(tmp_path: Path) -> None:
    async with two_servers(tmp_path, is_direct=True) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("hi"))
        await one(bob, "<body>hi")


async def test_the_next_host_is_tried(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        alpha.names.targets["beta.example"].insert(0, Target("localhost", free_port()))
        await alice.send(TO_BOB.format("hi"))
        await one(bob, "<body>hi")


async def test_an_idle_stream_is_closed_and_opened_again(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format("one"))
        await one(bob, "<body>one")
        alpha.tick(1)
        await alpha.delivered()
        beta.clock.advance(2000)
        alpha.tick(2000)
        await until(lambda: not alpha.streams and not beta.streams)
        await alice.send(TO_BOB.format("two"))
        await one(bob, "<body>two")


async def test_a_partner_that_may_not_write_gets_no_stream_for_it(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        alpha.policy.incoming_permission = Refusal("direction-not-agreed", StanzaCondition.NOT_ALLOWED)
        await alice.send(TO_BOB.format("out"))
        await one(bob, "<body>out")
        assert not [c for c in alpha.federation.connections() if c.stream.remotes]
        await bob.send("<iq to='alpha.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert 'id="p"' in await one(bob, 'type="error"')
        assert not [seen for seen in alpha.policy.seen if seen[1] is Direction.IN]


async def test_nobody_makes_us_call_the_whole_world(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, _beta):
        question = Dialback("result", "gamma.example", "alpha.example", key="k")
        with pytest.raises(Unreachable) as failure:
            await alpha.federation.verify(question, "id")
        assert failure.value.code == "dns-no-service"
        blocked = asyncio.Event()

        async def never(domain: str) -> list[Target]:
            await blocked.wait()
            return []

        alpha.names.servers = never  # type: ignore[method-assign]
        waiting = [asyncio.ensure_future(alpha.federation.verify(question, "id")) for _ in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(Unreachable) as failure:
            await alpha.federation.verify(question, "id")
        assert failure.value.code == "too-many-dialbacks"
        blocked.set()
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, Unreachable)


async def test_a_certificate_for_servers_only_is_asked_about_where_the_domain_is(tmp_path: Path) -> None:
    names, authority = Names(), Authority(tmp_path)
    theirs = authority.sign("beta.example", usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    async with (
        Server("alpha.example", names, authority, authority.sign("alpha.example")) as alpha,
        Server("beta.example", names, authority, theirs) as beta,
    ):
        await alpha.add("alice@alpha.example")
        await beta.add("bob@beta.example")
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await bob.send("<message to='alice@alpha.example' type='chat' id='1'><body>in</body></message>")
        # The first handshake fails; then dialback is left, and the certificate of who answers counts, not DNS.
        await until(lambda: beta.federation.links.of("alpha.example")[0].is_resting)
        beta.tick(60)
        await one(alice, "<body>in")
        assert alpha.policy.permission == Permission(is_dialback_allowed=False)
