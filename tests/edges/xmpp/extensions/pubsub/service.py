"""The publish-subscribe service at `pubsub.example.org` as tests talk to it.

    async with a_service() as (host, owner, reader):
        await owner.ask(create("news"), done())
        await reader.ask(subscribe("news", "bob"), result(...))

`owner` is alice's phone, `reader` bob's desk; each is available. The functions make requests for the service and the
answers that are expected.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lxml import etree

from parley.edges.xmpp.origin import Origin
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import StanzaError, error_reply, may_be_answered
from parley.protocols.xmpp.jid import JID

from ...harness import Client, Harness, address, parse

NS = "http://jabber.org/protocol/pubsub"
OWNER = f"{NS}#owner"
EVENT = f"{NS}#event"
SERVICE = "pubsub.example.org"
ENTRY = "<entry xmlns='urn:entry'><title>Soliloquy</title></entry>"


class Partner(Origin):
    """People of another server, on one stream; what is sent to them is in `came`."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.host, None)
        self._harness = harness
        self.came: list[str] = []
        harness.host.federation = self  # type: ignore[assignment]

    @property
    def is_ended(self) -> bool:
        return False

    def sender(self, element: Element) -> JID:
        return JID.parse(element.from_ or "")

    def stamped(self, element: Element, *, to: str | None, from_: str | None = None) -> bytes:
        return restamp(element, from_=from_ or element.from_, to=to)

    def answer(self, stanza: bytes) -> None:
        self.came.append(stanza.decode())

    def reply_error(self, element: Element, error: StanzaError) -> None:
        if may_be_answered(element):
            self.answer(error_reply(element, error))

    def handled(self, token: int) -> None:
        """Nobody counts."""

    def hold(self, reason: str) -> None:
        """Nobody reads."""

    def go_on(self, reason: str) -> None:
        """Nobody reads."""

    def done(self) -> None:
        """Nobody waits."""

    def send(self, stanza: bytes, _sender: JID, _to: JID) -> None:
        """The way to the partner."""
        self.came.append(stanza.decode())

    async def says(self, stanza: str) -> list[str]:
        """What comes to the partner after it sent a stanza."""
        self.came.clear()
        self.take(Element.from_bytes(stanza.encode()), 0)
        await self._harness.settle()
        return self.came[:]


@asynccontextmanager
async def a_service(**sections: Any) -> AsyncIterator[tuple[Harness, Client, Client]]:
    """A server with the service, alice's phone and bob's desk."""
    async with Harness(**sections) as host:
        await host.add("alice", "bob")
        owner = await host.connect("alice/phone", presence="")
        yield host, owner, await host.connect("bob/desk", presence="")


# Requests.


def form(kind: str, **values: str | list[str]) -> str:
    fields = ""
    for name, given in values.items():
        several = "".join(f"<value>{value}</value>" for value in ([given] if isinstance(given, str) else given))
        fields += f"<field var='pubsub#{name.replace('__', '-')}'>{several}</field>"
    return (
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>"
        f"<value>{NS}#{kind}</value></field>{fields}</x>"
    )


def ask(kind: str, content: str, ns: str = NS, to: str = SERVICE) -> str:
    return f"<iq type='{kind}' id='1' to='{to}'><pubsub xmlns='{ns}'>{content}</pubsub></iq>"


def create(node: str, to: str = SERVICE, **config: str | list[str]) -> str:
    configure = f"<configure>{form('node_config', **config)}</configure>" if config else ""
    return ask("set", f"<create node='{node}'/>{configure}", to=to)


def configure(node: str, to: str = SERVICE, **config: str | list[str]) -> str:
    return ask("set", f"<configure node='{node}'>{form('node_config', **config)}</configure>", OWNER, to)


def publish(node: str, item_id: str = "1", payload: str = ENTRY, to: str = SERVICE) -> str:
    return ask("set", f"<publish node='{node}'><item id='{item_id}'>{payload}</item></publish>", to=to)


def subscribe(node: str, who: str, more: str = "", to: str = SERVICE) -> str:
    return ask("set", f"<subscribe node='{node}' jid='{address(who)}'/>{more}", to=to)


def unsubscribe(node: str, who: str, to: str = SERVICE, attrs: str = "") -> str:
    return ask("set", f"<unsubscribe node='{node}' jid='{address(who)}'{attrs}/>", to=to)


def get_items(node: str, inside: str = "", attrs: str = "", to: str = SERVICE, beside: str = "") -> str:
    return ask("get", f"<items node='{node}'{attrs}>{inside}</items>{beside}", to=to)


def affiliate(node: str, to: str = SERVICE, **words: str) -> str:
    inside = "".join(f"<affiliation jid='{address(n)}' affiliation='{word}'/>" for n, word in words.items())
    return ask("set", f"<affiliations node='{node}'>{inside}</affiliations>", OWNER, to)


# Answers.


def result(content: str = "", to: str = "alice/phone", ns: str = NS, of: str = SERVICE) -> str:
    inside = f"<pubsub xmlns='{ns}'>{content}</pubsub>" if content else ""
    return f"<iq type='result' id='1' from='{of}' to='{address(to)}'>{inside}</iq>"


def subscription(node: str, who: str, state: str = "subscribed") -> str:
    return f"<subscription node='{node}' jid='{address(who)}' subscription='{state}'/>"


def subscribed(node: str, who: str, to: str, state: str = "subscribed", of: str = SERVICE) -> str:
    return result(subscription(node, who, state), to, of=of)


def published(node: str, item_id: str = "1", to: str = "alice/phone") -> str:
    return result(f"<publish node='{node}'><item id='{item_id}'/></publish>", to)


def error(
    condition: str, kind: str, reason: str = "", to: str = "alice/phone", feature: str = "", of: str = SERVICE
) -> str:
    """An error; its number is the one of RFC 3920's times, its text is not looked at."""
    attribute = f" feature='{feature}'" if feature else ""
    application = f"<{reason} xmlns='{NS}#errors'{attribute}/>" if reason else ""
    return (
        f"<iq type='error' id='1' from='{of}' to='{address(to)}'><error type='{kind}'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{application}</error></iq>"
    )


def unsupported(feature: str, to: str = "alice/phone") -> str:
    return error("feature-not-implemented", "cancel", "unsupported", to, feature)


def event(content: str, to: str = "bob", kind: str = " type='headline'", more: str = "", of: str = SERVICE) -> str:
    return (
        f"<message from='{of}' to='{address(to)}'{kind} id='*'><event xmlns='{EVENT}'>{content}</event>{more}</message>"
    )


def items_event(node: str, content: str, to: str = "bob", more: str = "", of: str = SERVICE) -> str:
    return event(f"<items node='{node}'>{content}</items>", to, more=more, of=of)


def from_device(name: str) -> str:
    """What tells who sees somebody's presence which of their devices published (XEP-0163 §4.3.1)."""
    inside = f"<address type='replyto' jid='{address(name)}'/>"
    return f"<addresses xmlns='http://jabber.org/protocol/address'>{inside}</addresses>"


def item(item_id: str = "1", payload: str = ENTRY) -> str:
    return f"<item id='{item_id}'>{payload}</item>"


async def refused(client: Client, request: str, expected: str) -> None:
    """The request is answered with just that error; the number and the text of the error may be any."""
    client.take()
    await client.send(request)
    plain = [_without_words(stanza) for stanza in client.take()]
    client.connection.sent.extend(stanza.encode() for stanza in plain)
    client.expect(expected)


def _without_words(stanza: str) -> str:
    tree = parse(stanza)
    for error_element in tree.iter("{jabber:client}error"):
        error_element.attrib.pop("code", None)
        for text in error_element.findall("{urn:ietf:params:xml:ns:xmpp-stanzas}text"):
            error_element.remove(text)
    return etree.tostring(tree, encoding="unicode")
