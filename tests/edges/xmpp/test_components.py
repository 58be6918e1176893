"""XEP-0114: stanzas to and from a component, its coming and going, over a wire that the test holds in its hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from parley.base.config.admission import ComponentSettings
from parley.edges.xmpp.components import Components
from parley.protocols.xmpp.components import digest
from parley.protocols.xmpp.jid import JID

from .harness import Harness

HEADER = (
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    " to='bridge.example.org'>"
)
SECRET = "long enough"
AWAY = (
    "<{0} type='error' id='1' from='x@bridge.example.org' to='alice@example.org/phone'>"
    "<error type='wait' code='504'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>*</text></error></{0}>"
)


class FakeWire:
    """Keeps what is sent."""

    kind, peer = "tcp", "127.0.0.1"
    channel_bindings: Mapping[str, bytes] = {}

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.unsent_bytes = 0
        self.is_reading, self.is_closed = True, False

    def send(self, items: Sequence[bytes]) -> None:
        self.sent += items

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def take(self) -> str:
        text = b"".join(self.sent).decode()
        self.sent.clear()
        return text


class Bridged(Harness):
    """An edge with two components, of which one matters most."""

    def __init__(self) -> None:
        names = ("bridge.example.org", "ferry.example.org")
        super().__init__(components=tuple(ComponentSettings(name=name, secret=SECRET) for name in names))
        self.components = Components(self.host)

    def connection(self, name: str = "bridge.example.org") -> tuple[FakeWire, object]:
        """A connection before its handshake."""
        wire, receiver = FakeWire(), self.components.receiver("127.0.0.1")
        assert receiver is not None
        receiver.connected(wire)  # type: ignore[arg-type]
        receiver.received(HEADER.replace("bridge.example.org", name).encode())
        return wire, receiver

    def join(self, secret: str = SECRET, name: str = "bridge.example.org") -> tuple[FakeWire, object]:
        """A component that has shaken hands."""
        wire, receiver = self.connection(name)
        stream_id = wire.take().partition('id="')[2].partition('"')[0]
        receiver.received(f"<handshake>{digest(stream_id, secret)}</handshake>".encode())  # type: ignore[attr-defined]
        return wire, receiver

    async def say(self, receiver: object, stanza: str) -> None:
        receiver.received(stanza.encode())  # type: ignore[attr-defined]
        await self.settle()


async def test_messages_go_both_ways() -> None:
    async with Bridged() as host:
        await host.add("alice")
        wire, component = host.join()
        assert wire.take() == "<handshake/>"
        alice = await host.connect("alice/phone", presence="")
        await alice.send("<message to='x@bridge.example.org' type='chat' id='1'><body>hi</body></message>")
        sent = wire.take()
        assert "<body>hi</body>" in sent
        assert "alice@example.org/phone" in sent
        await host.say(
            component,
            "<message from='x@bridge.example.org' to='alice@example.org' type='chat'><body>ho</body></message>",
        )
        (came,) = alice.take()
        assert "<body>ho</body>" in came
        assert 'from="x@bridge.example.org"' in came or "from='x@bridge.example.org'" in came


async def test_requests_go_both_ways() -> None:
    async with Bridged() as host:
        await host.add("alice")
        wire, component = host.join()
        wire.take()
        alice = await host.connect("alice/phone")
        await alice.send("<iq type='get' id='1' to='bridge.example.org'><query xmlns='urn:x'/></iq>")
        asked = wire.take()
        assert "urn:x" in asked
        assert "alice@example.org/phone" in asked
        await host.say(component, "<iq type='result' id='1' from='bridge.example.org' to='alice@example.org/phone'/>")
        alice.expect("<iq type='result' id='1' from='bridge.example.org' to='alice@example.org/phone'/>")
        ping = "<iq type='get' id='2' from='bridge.example.org' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>"
        await host.say(component, ping)
        assert 'id="2"' in wire.take()


async def test_away_it_is_told_so() -> None:
    async with Bridged() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        await alice.ask(
            "<iq type='get' id='1' to='x@bridge.example.org'><query xmlns='urn:x'/></iq>", AWAY.format("iq")
        )
        wire, receiver = host.join()
        receiver.disconnected()  # type: ignore[attr-defined]
        await alice.ask(
            "<iq type='get' id='1' to='x@bridge.example.org'><query xmlns='urn:x'/></iq>", AWAY.format("iq")
        )
        again, _ = host.join()
        assert again.take() == "<handshake/>"
        assert wire is not again


async def test_one_at_a_time() -> None:
    async with Bridged() as host:
        host.join()
        second, _ = host.join()
        assert "<conflict" in second.take()
        assert second.is_closed


async def test_a_wrong_secret() -> None:
    async with Bridged() as host:
        wire, _ = host.join("wrong")
        assert "<not-authorized" in wire.take()
        assert wire.is_closed


@pytest.mark.parametrize("sender", ["", "from='example.org'", "from='alice@example.org'", "from='@'"])
async def test_it_speaks_for_its_own_domain(sender: str) -> None:
    async with Bridged() as host:
        await host.add("alice")
        wire, component = host.join()
        await host.say(component, f"<message {sender} to='alice@example.org'><body>x</body></message>")
        assert "<invalid-from" in wire.take()


async def test_whom_it_means_is_needed() -> None:
    async with Bridged() as host:
        wire, component = host.join()
        wire.take()
        await host.say(component, "<message from='bridge.example.org' id='1'><body>x</body></message>")
        assert "<bad-request" in wire.take()
        await host.say(component, "<message from='bridge.example.org' to='@' id='2'><body>x</body></message>")
        assert "<jid-malformed" in wire.take()


async def test_commands_are_not_for_components() -> None:
    async with Bridged() as host:
        wire, component = host.join()
        wire.take()
        node = "http://jabber.org/protocol/admin#delete-user"
        command = f"<command xmlns='http://jabber.org/protocol/commands' node='{node}'/>"
        await host.say(component, f"<iq type='set' id='1' from='bridge.example.org' to='example.org'>{command}</iq>")
        assert "<service-unavailable" in wire.take()


async def test_who_never_shakes_hands_is_cut() -> None:
    async with Bridged() as host:
        wire, _ = host.connection()
        await host.settle()
        host.clock.advance(host.settings.limits.handshake_timeout_s)
        await host.settle()
        assert "<connection-timeout" in wire.take()
        assert wire.is_closed


async def test_who_reads_too_slowly_is_cut() -> None:
    async with Bridged() as host:
        await host.add("alice")
        wire, _ = host.join()
        alice = await host.connect("alice/phone")
        wire.unsent_bytes = host.settings.limits.max_unsent_bytes + 1
        await alice.send("<iq type='get' id='1' to='bridge.example.org'><query xmlns='urn:x'/></iq>")
        assert wire.is_closed


async def test_it_is_discovered() -> None:
    async with Bridged() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        await alice.send(
            "<iq type='get' id='1' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>"
        )
        assert 'jid="bridge.example.org"' in "".join(alice.take())


async def test_a_gateway_itself_is_subscribed_to() -> None:
    async with Bridged() as host:
        await host.add("alice")
        wire, component = host.join()
        alice = await host.connect("alice/phone", presence="")
        await alice.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
        wire.take()
        alice.take()
        # XEP-0100 §4.1: it asks for a subscription, and is asked for one, at its bare domain.
        await alice.send("<presence to='bridge.example.org' type='subscribe'/>")
        assert '<presence type="subscribe" from="alice@example.org" to="bridge.example.org"/>' in wire.take()
        await host.say(component, "<presence from='bridge.example.org' to='alice@example.org' type='subscribed'/>")
        item = "<item jid='bridge.example.org' subscription='{0}'/>"
        query = "<query xmlns='jabber:iq:roster' ver='*'>{0}</query>"
        push = f"<iq type='set' id='*' to='alice@example.org/phone'>{query}</iq>"
        alice.expect(
            push.format(item.format("none' ask='subscribe")),
            "<presence from='bridge.example.org' to='alice@example.org' type='subscribed'/>",
            push.format(item.format("to")),
        )


async def test_presence_goes_both_ways() -> None:
    async with Bridged() as host:
        await host.add("alice")
        wire, component = host.join()
        wire.take()
        alice = await host.connect("alice/phone", presence="")
        await alice.send("<presence to='x@bridge.example.org'/>")
        assert "<presence" in wire.take()
        await host.say(component, "<presence from='x@bridge.example.org/r' to='alice@example.org'/>")
        assert any("<presence" in each for each in alice.take())
        await host.say(component, "<presence from='x@bridge.example.org' to='alice@example.org' type='subscribe'/>")
        assert any('type="subscribe"' in each or "type='subscribe'" in each for each in alice.take())


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
async def test_from_one_component_to_another(kind: str) -> None:
    async with Bridged() as host:
        wire, _ = host.join()
        _, ferry = host.join(name="ferry.example.org")
        wire.take()
        kinds = {"message": "", "presence": " type='subscribe'", "iq": " type='get'"}
        attrs = f"id='1' from='y@ferry.example.org' to='x@bridge.example.org'{kinds[kind]}"
        stanza = f"<{kind} {attrs}><a xmlns='urn:a'/></{kind}>"
        await host.say(ferry, stanza)
        came = wire.take()
        assert came.startswith(f"<{kind} ")
        assert "y@ferry.example.org" in came


class Partners:
    """Takes what would go to other servers."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        self.sent.append((stanza.decode().partition(" ")[0], str(to)))


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
async def test_from_a_component_to_another_server(kind: str) -> None:
    async with Bridged() as host:
        partners = host.host.federation = Partners()  # type: ignore[assignment]
        _, component = host.join()
        attrs = "id='1' from='x@bridge.example.org' to='romeo@elsewhere.example'" + " type='get'" * (kind == "iq")
        await host.say(component, f"<{kind} {attrs}><a xmlns='urn:a'/></{kind}>")
        assert partners.sent == [(f"<{kind}", "romeo@elsewhere.example")]
