"""Subscriptions between two people against a plain model of what they agreed, whoever is online when (RFC 6121 §3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edges.xmpp.harness import Client, Harness, address, parse

PEOPLE: Final = ("alice", "bob")
KINDS: Final = ("subscribe", "unsubscribe", "subscribed", "unsubscribed")
ACTS: Final = (*KINDS, "add", "remove", "come", "go", "vanish")


@dataclass
class Model:
    """What two people agreed: `sees[x]` says how far x came with seeing the other."""

    sees: dict[str, str] = field(default_factory=lambda: dict.fromkeys(PEOPLE, "none"))
    approves: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PEOPLE, False))
    lists: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PEOPLE, False))

    def act(self, who: str, act: str) -> None:
        other = another(who)
        if act == "subscribe" and self.sees[who] == "none":
            self.lists[who] = True
            self.sees[who] = "granted" if self.approves[other] else "pending"
            self.approves[other] = False
        elif act == "unsubscribe":
            self.sees[who] = "none"
        elif act == "subscribed" and self.sees[other] == "pending":
            self.sees[other], self.lists[who] = "granted", True
        elif act == "subscribed" and self.sees[other] == "none":
            self.lists[who] = self.approves[who] = True
        elif act == "unsubscribed":
            self.sees[other], self.approves[who] = "none", False
        elif act == "add":
            self.lists[who] = True
        elif act == "remove" and self.lists[who]:
            self.sees = dict.fromkeys(PEOPLE, "none")
            self.lists[who] = self.approves[who] = False

    def item(self, who: str) -> tuple[str, bool, bool] | None:
        """The roster item that `who` has of the other: subscription, ask, approved."""
        if not self.lists[who]:
            return None
        to, from_ = self.sees[who] == "granted", self.sees[another(who)] == "granted"
        word = {(True, True): "both", (True, False): "to", (False, True): "from", (False, False): "none"}[to, from_]
        return word, self.sees[who] == "pending", self.approves[who]


def another(who: str) -> str:
    return PEOPLE[1 - PEOPLE.index(who)]


class Person:
    """Somebody with one client, and what it knows from what it was told."""

    def __init__(self, host: Harness, name: str) -> None:
        self.host, self.name = host, name
        self.client: Client | None = None
        self.is_other_there = False
        self.requests = 0
        self.items: dict[str, tuple[str, bool, bool]] = {}
        self.version = ""

    async def act(self, act: str) -> None:
        to = address(another(self.name))
        if act == "come" and self.client is None:
            self.is_other_there, self.requests = False, 0
            self.client = await self.host.connect(f"{self.name}/r")
            roster = f"<iq type='get' id='r'><query xmlns='jabber:iq:roster' ver='{self.version}'/></iq>"
            await self.client.send(roster, "<presence/>")
        elif self.client is None:
            return
        elif act in KINDS:
            await self.client.send(f"<presence to='{to}' type='{act}'/>")
        elif act in ("add", "remove"):
            removal = " subscription='remove'" if act == "remove" else ""
            item = f"<item jid='{to}'{removal}/>"
            await self.client.send(f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        elif act in ("go", "vanish"):
            if act == "go":
                await self.client.send("<presence type='unavailable'/>")
            self.client.session.end()
            await self.host.settle()
            self.learn()
            self.client = None

    def learn(self) -> None:
        """Read what came."""
        if self.client is None:
            return
        for stanza in map(parse, self.client.take()):
            query = stanza.find("{jabber:iq:roster}query")
            if query is not None:
                self._roster(query, is_whole=stanza.get("type") == "result")
            elif stanza.tag.endswith("presence") and (stanza.get("from") or "").startswith(another(self.name)):
                self._presence(stanza.get("type"))

    def _roster(self, query: Any, *, is_whole: bool) -> None:
        if is_whole:
            self.items.clear()
        self.version = query.get("ver")
        for item in query:
            flags = (item.get("subscription"), item.get("ask") == "subscribe", item.get("approved") == "true")
            self.items[item.get("jid")] = flags
            if item.get("subscription") == "remove":
                del self.items[item.get("jid")]

    def _presence(self, kind: str | None) -> None:
        if kind in (None, "unavailable"):
            self.is_other_there = kind is None
        elif kind == "subscribe":
            self.requests += 1


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(ACTS)), max_size=25))
def test_everybody_knows_what_was_agreed(acts: list[tuple[str, str]]) -> None:
    asyncio.run(_play([("alice", "come"), *acts, ("alice", "come"), ("bob", "come")]))


async def _play(acts: list[tuple[str, str]]) -> None:
    model = Model()
    async with Harness() as host:
        await host.add(*PEOPLE)
        people = {name: Person(host, name) for name in PEOPLE}
        for who, act in acts:
            is_coming = act == "come" and people[who].client is None
            is_able = people[who].client is not None
            await people[who].act(act)
            if is_able:
                model.act(who, act)
            for person in people.values():
                person.learn()
            for name, person in people.items():
                if person.client is None:
                    continue
                other = another(name)
                assert person.items.get(address(other)) == model.item(name), (who, act)
                is_seen = model.sees[name] == "granted" and people[other].client is not None
                assert person.is_other_there == is_seen, (who, act)
            if is_coming:
                # RFC 6121 §3.1.3: a request comes at each login until it is answered.
                assert people[who].requests == (model.sees[another(who)] == "pending")
