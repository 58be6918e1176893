"""Fuzz target: requests about nodes, and of push, are answered once each, and never by a defect of ours."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from tests.edges.xmpp.harness import Client, Harness

from parley.base.config.sections import ServicesSettings
from parley.domain.push_targets import PushTarget, digest
from parley.protocols.xmpp.builder import attribute
from parley.protocols.xmpp.errors import RemoteProtocolError
from parley.protocols.xmpp.framing import ElementReceived, Framer, FramingLimits

LIMITS = FramingLimits(max_stanza_bytes=16_384, max_depth=16, max_attributes=16, max_children=64)
NS = "http://jabber.org/protocol/pubsub"
FORM = (
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{ns}#{kind}</value></field>"
    "<field var='pubsub#access_model'><value>authorize</value></field><field var='pubsub#max_items'><value>3</value>"
    "</field><field var='pubsub#deliver'><value>1</value></field><field var='pubsub#expire'>"
    "<value>2030-01-01T00:00:00Z</value></field><field var='pubsub#show-values'><value>chat</value></field>"
    "<field var='pubsub#node'><value>n</value></field><field var='pubsub#allow'><value>1</value></field>"
    "<field var='pubsub#subscriber_jid'><value>bob@example.org</value></field>"
    "<field var='pubsub#itemreply'><value>publisher</value></field><field var='pubsub#purge_offline'><value>1</value>"
    "</field><field var='pubsub#publish_node_full'><value>reject</value></field></x>"
)


def _seed(content: str, kind: str = "", ns: str = NS) -> bytes:
    filled = content.replace("{form}", FORM.format(ns=NS, kind=kind))
    return f"<pubsub xmlns='{ns}'>{filled}</pubsub>".encode()


OWNER = f"{NS}#owner"
SEEDS = [
    _seed("<create node='n'/><configure>{form}</configure>", "node_config"),
    _seed("<create/>"),
    _seed("<subscribe node='n' jid='alice@example.org'/><options>{form}</options>", "subscribe_options"),
    _seed("<options node='n' jid='alice@example.org/phone'>{form}</options>", "subscribe_options"),
    _seed("<unsubscribe node='n' jid='alice@example.org'/>"),
    _seed(
        "<publish node='n'><item id='1'><a xmlns='urn:a'/></item></publish><publish-options>{form}</publish-options>"
    ),
    _seed("<retract node='n' notify='1'><item id='1'/></retract>"),
    _seed(
        "<items node='n' max_items='2'><item id='1'/></items><order xmlns='urn:xmpp:order-by:1' by='creation'/>"
        "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><after>1</after></set>"
    ),
    _seed("<subscriptions/>"),
    _seed("<affiliations node='n'/>"),
    _seed("<default node='n'/>"),
    _seed("<configure node='n'>{form}</configure>", "node_config", OWNER),
    _seed("<affiliations node='n'><affiliation jid='bob@example.org' affiliation='owner'/></affiliations>", ns=OWNER),
    _seed("<subscriptions node='n'><subscription jid='b@x' subscription='subscribed'/></subscriptions>", ns=OWNER),
    _seed("<delete node='n'><redirect uri='xmpp:x'/></delete>", ns=OWNER),
    _seed("<purge node='n'/>", ns=OWNER),
    b"<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/pubsub#get-pending'/>",
    b"<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>",
    b"<command xmlns='http://jabber.org/protocol/commands' node='register-push-fcm'><x xmlns='jabber:x:data'"
    b" type='submit'><field var='token'><value>t</value></field><field var='device-id'><value>d</value></field></x>"
    b"</command>",
    b"<command xmlns='http://jabber.org/protocol/commands' node='unregister-push'><x xmlns='jabber:x:data'"
    b" type='submit'/></command>",
    _seed(
        "<publish node='known'><item><notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data'><field"
        " var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field><field var='message-count'><value>1</value>"
        "</field></x></notification></item></publish><publish-options><x xmlns='jabber:x:data'><field var='FORM_TYPE'>"
        "<value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>s</value>"
        "</field></x></publish-options>"
    ),
    FORM.format(ns=NS, kind="subscribe_authorization").encode(),
]


class _Service:
    """One server for all inputs: what one leaves behind is the next one's problem."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._harness = Harness(services=ServicesSettings(push="push"))
        self._client = self._runner.run(self._open())

    async def _open(self) -> Client:
        await self._harness.__aenter__()
        await self._harness.add("alice", "bob")
        await self._harness.connect("bob/desk", presence="")
        target = PushTarget("push.example.org", "known", "alice@example.org", "fcm", "known", "t", digest("s"), 1)
        await self._harness.storage.push_targets.put(target, 9, 9)
        return await self._harness.connect("alice/phone", presence="")

    def take(self, payload: str) -> None:
        """Send it as every kind of request, and as what a message has inside."""
        for to in ("pubsub.example.org", "push.example.org", "alice@example.org", "bob@example.org"):
            for kind in ("get", "set"):
                answers = self._answers(f"<iq type='{kind}' id='f' to='{to}'>{payload}</iq>", "<iq")
                assert len(answers) == 1, answers
            self._answers(f"<message id='f' to='{to}'>{payload}</message>", "<message")

    def _answers(self, stanza: str, name: str) -> list[str]:
        self._client.take()
        with suppress(RemoteProtocolError):
            self._runner.run(self._client.send(stanza))
            came = [answer for answer in self._client.take() if answer.startswith(name)]
            assert not any("internal-server-error" in answer for answer in came), came
            return [answer for answer in came if 'id="f"' in answer]
        return [""]


_services: list[_Service] = []


def target(data: bytes) -> None:
    """Each element in `data` as a request for nodes; what is none, as names, addresses and values in requests."""
    if not _services:
        logging.disable(logging.ERROR)
        _services.append(_Service())
    elements = [event.element for event in Framer("frame", LIMITS).feed(data) if isinstance(event, ElementReceived)]
    for element in elements:
        _services[0].take(element.raw.decode())
    if not elements:
        for payload in _around(attribute(data.decode("latin-1"))[:200].decode(errors="ignore")):
            _services[0].take(payload)


def _around(value: str) -> list[str]:
    if value.count("&") != value.count(";"):
        return []  # an escape was cut
    fields = (f"<field var='pubsub#{var}'><value>{value}</value></field>" for var in ("max_items", "expire", "title"))
    form = f"<x xmlns='jabber:x:data' type='submit'>{''.join(fields)}</x>"
    inside = [
        f"<create node='{value}'/><configure>{form}</configure>",
        f"<subscribe node='n' jid='{value}'/><options>{form}</options>",
        f"<items node='n' max_items='{value}'><item id='{value}'/></items>",
        f"<publish node='n'><item id='{value}'><a xmlns='urn:a'>{value}</a></item></publish>",
    ]
    return [f"<pubsub xmlns='{NS}'>{content}</pubsub>" for content in inside]


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
