"""XEP-0357: who is woken, when, by what, and what becomes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from tests.edges.xmpp.wires import Edge, FakeWire, an_edge

from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

SERVICE = "push.example.net"
PUBSUB = "http://jabber.org/protocol/pubsub"
FORM = (
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
    "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
    "<field var='secret'><value>eruio234vzxc2kla-91</value></field></x>"
)


@dataclass
class PushService:
    """The way abroad, with a push service at its end. `answer` is the inside of its answers, None for silence."""

    edge: Edge
    answer: str | None = ""
    asked: list[str] = field(default_factory=list)

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        if to.domain != SERVICE:
            raise StanzaError(StanzaCondition.REMOTE_SERVER_NOT_FOUND)
        self.asked.append(stanza.decode())
        element = Element.from_bytes(stanza)
        if self.answer is not None:
            kind = "error" if self.answer else "result"
            answer = f"<iq type='{kind}' id='{element.id}' from='{to}' to='{sender}'>{self.answer}</iq>".encode()
            self.edge.host.post.send(answer, sender)

    def check(self, stanza: bytes, sender: JID, to: JID) -> None:
        raise AssertionError

    def depart(self, stanza: bytes, sender: JID, to: JID, seq: int) -> None:
        raise AssertionError


def error(condition: str, kind: str) -> str:
    return f"<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


def enable(node: str = "phone", service: str = SERVICE, form: str = FORM) -> str:
    return f"<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' jid='{service}' node='{node}'>{form}</enable></iq>"


def message(body: str = "<body>secret words</body>", kind: str = "chat") -> str:
    return f"<message to='bob@example.org' type='{kind}' id='m'>{body}</message>"


async def ready(edge: Edge) -> tuple[PushService, FakeWire, FakeWire]:
    """alice is there, bob's phone has registered."""
    service = PushService(edge)
    edge.host.federation = service
    alice, bob = edge.open(), edge.open()
    await edge.sign_in(alice, "alice")
    await edge.say(alice, "<presence/>")
    await edge.sign_in(bob, "bob", "phone")
    assert "result" in await edge.say(bob, enable())
    return service, alice, bob


async def leave(edge: Edge, wire: FakeWire) -> None:
    wire.abort()
    await edge.settle(wire)


async def test_a_device_that_is_not_there_is_woken_and_told_nothing_of_what_waits() -> None:
    async with an_edge() as edge:
        service, alice, bob = await ready(edge)
        await leave(edge, bob)
        await edge.say(alice, message())
        (asked,) = service.asked
        assert 'from="bob@example.org"' in asked
        assert f'to="{SERVICE}"' in asked
        assert '<publish node="phone"><item><notification xmlns="urn:xmpp:push:0"/></item></publish>' in asked
        assert "<publish-options>" in asked
        assert "eruio234vzxc2kla-91" in asked
        assert "secret words" not in asked
        assert "alice" not in asked
        account = await edge.storage.accounts.find("bob@example.org")
        assert account is not None
        (registration,) = await edge.storage.push.all(account.id)
        assert registration.last_ok_at > 0


async def test_a_device_that_is_there_is_not_woken() -> None:
    async with an_edge() as edge:
        service, alice, bob = await ready(edge)
        await edge.say(bob, "<presence/>")
        await edge.say(alice, message())
        assert service.asked == []


async def test_what_nobody_waits_for_wakes_nobody_and_a_call_does() -> None:
    async with an_edge() as edge:
        service, alice, bob = await ready(edge)
        await leave(edge, bob)
        await edge.say(alice, message("<active xmlns='http://jabber.org/protocol/chatstates'/>"))
        await edge.say(alice, message("<received xmlns='urn:xmpp:receipts' id='x'/>"))
        assert service.asked == []
        await edge.say(alice, message("<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>"))
        assert len(service.asked) == 1


async def test_many_messages_wake_once_and_once_more_after_a_while() -> None:
    async with an_edge(push={"min_interval_s": 60}) as edge:
        service, alice, bob = await ready(edge)
        await leave(edge, bob)
        for _ in range(5):
            await edge.say(alice, message())
        assert len(service.asked) == 1
        edge.clock.advance(59)
        await edge.settle(alice)
        assert len(service.asked) == 1
        edge.clock.advance(2)
        await edge.settle(alice)
        assert len(service.asked) == 2
        edge.clock.advance(120)
        await edge.settle(alice)
        assert len(service.asked) == 2


async def test_who_came_back_in_time_is_not_woken() -> None:
    async with an_edge(push={"min_interval_s": 60}) as edge:
        service, alice, bob = await ready(edge)
        await leave(edge, bob)
        await edge.say(alice, message())
        await edge.say(alice, message())
        await edge.sign_in(edge.open(), "bob", "phone")
        edge.clock.advance(61)
        await edge.settle(alice)
        assert len(service.asked) == 1


async def test_a_service_that_refuses_again_and_again_is_asked_no_more_and_the_owner_is_told() -> None:
    async with an_edge(push={"min_interval_s": 0}) as edge:
        service, alice, bob = await ready(edge)
        await leave(edge, bob)
        desk = edge.open()
        await edge.sign_in(desk, "bob", "desk")
        await edge.say(desk, "<presence/>")
        service.answer = error("item-not-found", "cancel")
        for _ in range(7):
            await edge.say(alice, message())
        assert len(service.asked) == 5
        told = await edge.settle(desk)
        assert len(re.findall('type="headline"', told)) == 1
        assert "push.example.net says item-not-found" in told
        # The device registers again, and all is well.
        service.answer = ""
        again = edge.open()
        await edge.sign_in(again, "bob", "phone")
        await edge.say(again, enable())
        await leave(edge, again)
        await edge.say(alice, message())
        assert len(service.asked) == 6


async def test_a_service_that_is_not_reached_or_asks_to_wait_keeps_its_registrations() -> None:
    async with an_edge(push={"min_interval_s": 0, "timeout_s": 5}) as edge:
        service, alice, bob = await ready(edge)
        await leave(edge, bob)
        for answer in (error("resource-constraint", "wait"), error("remote-server-timeout", "cancel")):
            service.answer = answer
            for _ in range(6):
                await edge.say(alice, message())
        assert len(service.asked) == 12
        account = await edge.storage.accounts.find("bob@example.org")
        assert account is not None
        (registration,) = await edge.storage.push.all(account.id)
        assert (registration.last_error, registration.refusals) == ("remote-server-timeout", 0)


async def test_what_is_disabled_wakes_no_more() -> None:
    async with an_edge(push={"min_interval_s": 0}) as edge:
        service, alice, bob = await ready(edge)
        await edge.say(bob, enable("tablet"))
        disable = "<iq type='set' id='d'><disable xmlns='urn:xmpp:push:0' jid='{}'{}/></iq>"
        assert "result" in await edge.say(bob, disable.format(SERVICE, " node='phone'"))
        assert "result" in await edge.say(bob, disable.format(SERVICE, " node='nothing'"))
        other = edge.open()
        await edge.sign_in(other, "bob", "desk")
        await leave(edge, bob)
        await edge.say(alice, message())
        assert len(service.asked) == 1
        assert 'node="tablet"' in service.asked[0]
        await edge.say(other, disable.format(SERVICE, ""))
        await edge.say(alice, message())
        assert len(service.asked) == 1


async def test_what_cannot_be_enabled_is_refused_at_once() -> None:
    async with an_edge(push={"max_registrations": 1}) as edge:
        service, _, bob = await ready(edge)
        edge.host.federation = None
        assert "remote-server-not-found" in await edge.say(bob, enable(service="elsewhere.example"))
        edge.host.federation = service
        assert "item-not-found" in await edge.say(bob, enable(service="alice@example.org"))
        assert "item-not-found" in await edge.say(bob, enable(service="example.org"))
        for named in ("", "@", "a@"):
            assert "bad-request" in await edge.say(bob, enable(service=named))
        assert "not-acceptable" in await edge.say(bob, enable(node="x" * 1025))
        wrong = FORM.replace("#publish-options", "#node_config")
        assert "bad-request" in await edge.say(bob, enable(form=wrong))
        assert "resource-constraint" in await edge.say(bob, enable("tablet"))


async def test_accounts_say_that_they_have_push() -> None:
    async with an_edge() as edge:
        _, _, bob = await ready(edge)
        info = "<iq type='get' id='i' to='bob@example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        assert 'var="urn:xmpp:push:0"' in await edge.say(bob, info)


def notice(node: str, jid: str = "bob@example.org", word: str = "none", inside: str = "") -> str:
    affiliation = f"<affiliation jid='{jid}' affiliation='{word}'/>"
    content = inside.format(node=node, affiliation=affiliation) if inside else affiliation
    at = "" if inside else f" node='{node}'"
    return f"<message from='{SERVICE}' to='bob@example.org'><pubsub xmlns='{PUBSUB}'{at}>{content}</pubsub></message>"


@pytest.mark.parametrize(
    ("stanza", "left"),
    [
        (notice("phone"), ["other"]),
        (notice("phone", word="outcast"), ["other"]),
        (notice("phone", inside="<affiliations node='{node}'>{affiliation}</affiliations>"), ["other"]),
        (notice("phone", word="publish-only"), ["other", "phone"]),
        (notice("phone", jid="alice@example.org"), ["other", "phone"]),
        (notice("none"), ["other", "phone"]),
        (notice("phone").replace(SERVICE, "mallory.example"), ["other", "phone"]),
    ],
)
async def test_8_a_service_that_takes_nothing_any_more_is_asked_nothing_any_more(stanza: str, left: list[str]) -> None:
    async with an_edge() as edge:
        _, _, bob = await ready(edge)
        await edge.say(bob, enable("other"))
        element = Element.from_bytes(stanza.encode())
        await edge.host.post.mail(stanza.encode(), JID.parse(element.from_ or ""), JID.parse("bob@example.org"))
        await edge.settle(bob)
        account = await edge.storage.accounts.find("bob@example.org")
        assert account is not None
        assert sorted(each.node for each in await edge.host.push.of(account.id)) == left
