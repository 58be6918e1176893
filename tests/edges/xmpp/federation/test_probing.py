"""Partners without stream management: pings tell what arrived."""

from __future__ import annotations

from pathlib import Path

from tests.edges.xmpp.federation.net import Server, one, two_servers, until

from parley.base.net.wire import ServerWire
from parley.edges.xmpp.federation.incoming import IncomingConnection
from parley.edges.xmpp.federation.ports import Direction, Kind, Refusal
from parley.protocols.xmpp.errors import StanzaCondition
from parley.protocols.xmpp.s2s_incoming import IncomingStream

TO_BOB = "<message to='bob@beta.example' type='chat' id='{0}'><body>{0}</body></message>"


class PlainStream(IncomingStream):
    """Offers neither stream management nor both directions."""

    def _features(self) -> bytes:
        offered = super()._features()
        for feature in (b'<sm xmlns="urn:xmpp:sm:3"/>', b'<bidi xmlns="urn:xmpp:features:bidi"/>'):
            offered = offered.replace(feature, b"")
        return offered


class PlainConnection(IncomingConnection):
    def began(self, wire: ServerWire) -> IncomingStream:
        return PlainStream(self.federation.stream_config, self.host.new_id, self._offers, is_secure=wire.kind == "tls")


class Deaf(PlainConnection):
    """Reads nothing of what comes once the stream is there."""

    def received(self, data: bytes) -> None:
        if not self.is_open:
            super().received(data)


def make_plain(server: Server, kind: type[PlainConnection] = PlainConnection) -> None:
    """Have no stream management on streams to this server from now on."""

    def receiver(_peer: str) -> IncomingConnection:
        connection = kind(server.federation)
        server.federation.opened(connection)
        return connection

    server.federation.listener.receiver = receiver  # type: ignore[method-assign]


async def test_a_message_waits_until_a_ping_behind_it_is_answered(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        make_plain(beta)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        assert await alpha.storage.outgoing.totals()
        await alpha.delivered()
        # The answer is nobody else's business.
        assert ("beta.example", Direction.IN, Kind.REQUESTS) not in alpha.policy.seen
        assert not alpha.federation.probes


async def test_what_broke_with_the_connection_is_sent_again(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        make_plain(beta, Deaf)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1), TO_BOB.format(2))
        await until(lambda: alpha.streams == ["out"])
        alpha.tick(1)
        make_plain(beta)
        for connection in beta.federation.connections():
            connection.abort()
        await until(lambda: not alpha.streams)
        alpha.tick(60)
        assert "<body>1" in await one(bob, "<body>")
        assert "<body>2" in await one(bob, "<body>")
        await alpha.delivered()


async def test_a_partner_that_answered_before_and_does_not_any_more_is_gone(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        make_plain(beta)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        await alpha.delivered()
        for connection in beta.federation.connections():
            connection.pause("test")
        await alice.send(TO_BOB.format(2))
        alpha.tick(1)
        alpha.tick(31)
        await until(lambda: "out" not in alpha.streams)
        alpha.tick(60)
        assert "<body>2" in await one(bob, "<body>")


async def test_a_partner_that_answers_no_ping_is_believed(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        make_plain(beta)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        # Nothing of beta's comes back.
        alpha.policy.incoming_permission = Refusal("direction-not-agreed", StanzaCondition.NOT_ALLOWED)
        await alice.send(TO_BOB.format(1))
        await one(bob, "<body>1")
        alpha.tick(1)
        assert await alpha.storage.outgoing.totals()
        alpha.tick(31)
        await alpha.delivered()
        assert alpha.streams == ["out"]
        await alice.send(TO_BOB.format(2))
        await one(bob, "<body>2")
        await alpha.delivered()


async def test_an_id_that_somebody_guessed_answers_nothing(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        make_plain(beta, Deaf)
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(TO_BOB.format(1))
        await until(lambda: alpha.streams == ["out"])
        alpha.tick(1)
        (name,) = alpha.federation.probes
        await bob.send(f"<iq to='alpha.example' type='result' id='{name}'/>")
        await until(lambda: alpha.streams == ["in", "out"])
        await bob.send("<iq to='alpha.example' type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>")
        await until(lambda: ("beta.example", Direction.IN, Kind.REQUESTS) in alpha.policy.seen)
        assert name in alpha.federation.probes
        assert await alpha.storage.outgoing.totals()
