"""Several clients whose connections break at any moment: nothing is lost, nothing comes twice, the order is kept.

A client here is what XEP-0198 makes of one: it counts what it handled, keeps what it sent until that is acknowledged,
resumes, and sends the rest again. When its session is over it signs in anew, sends what was not acknowledged again with
the same origin-id, and knows messages that come again by the archive's id (XEP-0359).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.edges.xmpp.clients.test_stream_management import SM, resume
from tests.edges.xmpp.harness import address
from tests.edges.xmpp.wires import Edge, FakeWire, an_edge

NAMES: Final = ("alice", "bob", "carol")
SILENT: Final = "bob/silent"
"""A device that sends no presence: it gets what is addressed to it, and others get that when it is gone for good."""
NS_SM: Final = "{urn:xmpp:sm:3}"
STANZA_ID: Final = "{urn:xmpp:sid:0}stanza-id"
BODY: Final = "{jabber:client}body"
STANZAS: Final = frozenset({"{jabber:client}message", "{jabber:client}presence", "{jabber:client}iq"})
RESUME_S: Final = 60


class Client:
    """One device, through all its connections."""

    def __init__(self, edge: Edge, name: str) -> None:
        self.edge, self.name = edge, name
        self.user, _, device = name.partition("/")
        self.device = device or "r"
        self.wire: FakeWire | None = None
        self.sm_id = ""
        self.handled = 0
        self.base = 0
        self.unacked: list[str] = []
        self.bodies: list[str] = []
        self.again = 0
        self._known: set[str] = set()

    async def sign_in(self) -> None:
        self.wire = self.edge.open()
        await self.edge.sign_in(self.wire, self.user, self.device)
        await self._begin()

    async def _begin(self) -> None:
        assert self.wire is not None
        self.handled = self.base = 0
        answer = await self.edge.say(self.wire, f"<enable {SM} resume='true'/>")
        self.sm_id = etree.fromstring(answer).get("id") or ""
        rest, self.unacked = self.unacked, []
        if self.name != SILENT:
            await self.send("<presence/>")
        for stanza in rest:
            await self.send(stanza)

    async def send(self, stanza: str) -> None:
        self.unacked.append(stanza)
        if self.wire is not None:
            self.read(await self.edge.say(self.wire, stanza))

    async def cut(self, *, is_output_lost: bool) -> None:
        if self.wire is not None:
            text = await self.edge.settle(self.wire)
            if not is_output_lost:
                self.read(text)
            self.wire.abort()
            await self.edge.settle(self.wire)
            self.wire = None

    async def come_back(self) -> None:
        if self.wire is not None:
            return
        wire, answer = await resume(self.edge, self.sm_id, self.handled, self.user)
        self.wire = wire
        first, *rest = split(answer)
        self._acked(int(first.get("h", "0")))
        if first.tag == f"{NS_SM}resumed":
            self.read_all(rest)
            for stanza in list(self.unacked):
                self.read(await self.edge.say(wire, stanza))
            return
        assert first.tag == f"{NS_SM}failed"
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{self.device}</resource></bind>"
        await self.edge.say(wire, f"<iq type='set' id='b'>{bind}</iq>")
        self.unacked = [stanza for stanza in self.unacked if "<message" in stanza]
        await self._begin()

    async def acknowledge(self) -> None:
        if self.wire is not None:
            self.read(await self.edge.say(self.wire, f"<a {SM} h='{self.handled}'/><r {SM}/>"))

    async def look(self) -> None:
        if self.wire is not None:
            self.read(await self.edge.settle(self.wire))

    def read(self, text: str) -> None:
        self.read_all(split(text))

    def read_all(self, elements: list[Any]) -> None:
        for element in elements:
            if element.tag in STANZAS:
                self.handled += 1
            if element.tag == f"{NS_SM}a":
                self._acked(int(element.get("h")))
            if element.find(BODY) is not None:
                self._message(element)

    def _message(self, element: Any) -> None:
        stanza_id = element.find(STANZA_ID).get("id")
        if stanza_id in self._known:
            self.again += 1
        else:
            self._known.add(stanza_id)
            self.bodies.append(element.findtext(BODY))

    def _acked(self, h: int) -> None:
        del self.unacked[: h - self.base]
        self.base = h


def split(text: str) -> list[Any]:
    return list(etree.fromstring(f"<x xmlns='jabber:client' xmlns:stream='s'>{text}</x>"))


people = st.sampled_from(NAMES)
everybody = st.sampled_from((*NAMES, SILENT))
acts = st.one_of(
    st.tuples(st.just("send"), people, everybody),
    st.tuples(st.just("send"), people, everybody),
    st.tuples(st.sampled_from(("cut", "cut and lose", "come back", "acknowledge", "look")), everybody, st.none()),
    st.tuples(st.just("wait"), st.none(), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(acts, max_size=30), st.booleans())
def test_nothing_is_lost_nothing_comes_twice(play: list[tuple[str, Any, Any]], is_archiving: bool) -> None:
    asyncio.run(_play(play, is_archiving))


async def _play(play: list[tuple[str, Any, Any]], is_archiving: bool) -> None:
    limits = {"sm_resume_timeout_s": RESUME_S, "idle_before_ping_s": 100_000}
    async with an_edge(limits=limits, archive={"enabled": is_archiving}) as edge:
        clients = {name: Client(edge, name) for name in (*NAMES, SILENT)}
        for client in clients.values():
            await client.sign_in()
        sent: list[tuple[str, str, str]] = []
        waits = 0
        for act, who, to in play:
            waits += act == "wait"
            await _act(edge, clients, act, who, to, sent)
        for client in clients.values():
            await client.come_back()
        for _ in range(3):
            for client in clients.values():
                await client.acknowledge()
        for name, client in clients.items():
            assert client.unacked == []
            for sender in NAMES:
                expected = [text for by, to, text in sent if to == name and by == sender]
                own = [text for text in client.bodies if text.startswith(sender) and not text.endswith(SILENT)]
                assert name == SILENT or own == expected
            assert len(client.bodies) == len(set(client.bodies))
            # While sessions are resumed, not even the wire brings anything again.
            assert client.again == 0 or waits
        for _, to, text in sent:
            if to == SILENT:
                held = [text in clients[name].bodies for name in ("bob", SILENT)]
                # Both have it only where one had it and was gone before it said so.
                assert any(held) if waits else held == [False, True]


async def _act(
    edge: Edge, clients: dict[str, Client], act: str, who: Any, to: Any, sent: list[tuple[str, str, str]]
) -> None:
    if act == "wait":
        edge.tick(RESUME_S + 1)
        await asyncio.sleep(0)
    elif act == "send":
        text = f"{who} {len(sent)} {to}"
        sent.append((who, to, text))
        origin = f"<origin-id xmlns='urn:xmpp:sid:0' id='o{len(sent)}'/>"
        await clients[who].send(f"<message to='{address(to)}' type='chat'><body>{text}</body>{origin}</message>")
    elif act.startswith("cut"):
        await clients[who].cut(is_output_lost=act.endswith("lose"))
    elif act == "come back":
        await clients[who].come_back()
    elif act == "acknowledge":
        await clients[who].acknowledge()
    else:
        await clients[who].look()
