"""What the tests of rooms share: people who enter, and what they are to see.

async with a_party("alice", "bob") as party:
    await party.open("alice")
    await party.enter("bob")
    party["alice"].expect(shown("bob", to="alice", jid="bob"))
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..harness import Client, Harness, parse

ROOM = "cave@conference.example.org"
NS_MUC = "http://jabber.org/protocol/muc"
WISH = f"<x xmlns='{NS_MUC}'/>"


class Party:
    """Clients named after their people, each with the resource `r`."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.clients: dict[str, Client] = {}

    def __getitem__(self, name: str) -> Client:
        return self.clients[name]

    async def connect(self, name: str) -> Client:
        """Another client; `alice` or `alice/phone`."""
        client = await self.harness.connect(name if "/" in name else f"{name}/r", presence="")
        self.clients[name] = client
        return client

    async def enter(self, name: str, nick: str = "", content: str = WISH, room: str = ROOM) -> None:
        """Enter; what comes stays to be looked at."""
        await self[name].send(f"<presence to='{room}/{nick or name.partition('/')[0]}'>{content}</presence>")

    async def open(self, owner: str, *others: str, room: str = ROOM, **options: Any) -> None:
        """A room with options, that the owner and others are in; nothing is left to be looked at."""
        await self.enter(owner, room=room)
        await self.configure(owner, room=room, **options)
        for other in others:
            await self.enter(other, room=room)
        self.forget()

    async def configure(self, owner: str, *, room: str = ROOM, **options: Any) -> None:
        """Submit a form; names of options go without their prefix, lists stand for many values."""
        await self[owner].send(config(room=room, **options))

    async def affiliate(self, by: str, name: str, affiliation: str) -> None:
        """Change what somebody is to the room; nothing is left to be looked at."""
        await self[by].send(admin(f"<item jid='{name}@example.org' affiliation='{affiliation}'/>"))
        self.forget()

    def forget(self) -> None:
        """Drop whatever came."""
        for client in self.clients.values():
            client.take()


@asynccontextmanager
async def a_party(*names: str, **sections: Any) -> AsyncIterator[Party]:
    """People with accounts, connected."""
    async with Harness(**sections) as harness:
        await harness.add(*names)
        party = Party(harness)
        for name in names:
            await party.connect(name)
        party.forget()
        yield party


def config(*, room: str = ROOM, **options: Any) -> str:
    """A submitted form."""
    fields = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        texts = "".join(f"<value>{'1' if v is True else '0' if v is False else v}</value>" for v in values)
        var = {"history": "muc#maxhistoryfetch"}.get(name) or (
            f"x-muc#roomconfig_{name[2:]}" if name.startswith("x_") else f"muc#roomconfig_{name}"
        )
        fields.append(f"<field var='{var}'>{texts}</field>")
    if fields:
        fields.insert(0, f"<field var='FORM_TYPE'><value>{NS_MUC}#roomconfig</value></field>")
    form = f"<x xmlns='jabber:x:data' type='submit'>{''.join(fields)}</x>"
    return f"<iq type='set' id='c' to='{room}'><query xmlns='{NS_MUC}#owner'>{form}</query></iq>"


def admin(*items: str, kind: str = "set", room: str = ROOM) -> str:
    """A request of an administrator or moderator."""
    return f"<iq type='{kind}' id='q' to='{room}'><query xmlns='{NS_MUC}#admin'>{''.join(items)}</query></iq>"


def done(to: str, *, request: str = "q", room: str = ROOM) -> str:
    """An empty result."""
    return f"<iq type='result' id='{request}' from='{room}' to='{full(to)}'/>"


def full(name: str) -> str:
    """`alice` as `alice@example.org/r`."""
    local, _, resource = name.partition("/")
    return f"{local}@example.org/{resource or 'r'}"


def shown(
    nick: str,
    *codes: int,
    to: str,
    role: str = "participant",
    affiliation: str = "none",
    jid: str = "",
    new_nick: str = "",
    gone: bool = False,
    by: str = "",
    reason: str = "",
    content: str = "",
    destroy: str = "",
    room: str = ROOM,
) -> str:
    """An occupant's presence."""
    attrs = f"affiliation='{affiliation}' role='{role}'"
    attrs += f" jid='{full(jid)}'" if jid else ""
    attrs += f" nick='{new_nick}'" if new_nick else ""
    inside = (f"<actor nick='{by}'/>" if by else "") + (f"<reason>{reason}</reason>" if reason else "")
    statuses = "".join(f"<status code='{code}'/>" for code in codes)
    said = f"<x xmlns='{NS_MUC}#user'><item {attrs}>{inside}</item>{destroy}{statuses}</x>"
    kind = " type='unavailable'" if gone else ""
    identity = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>"
    return f"<presence from='{room}/{nick}' to='{full(to)}'{kind}>{content}{said}{identity}</presence>"


def subject(to: str, text: str = "", nick: str = "", room: str = ROOM) -> str:
    """The subject as a newcomer is told."""
    from_ = f"{room}/{nick}" if nick else room
    stamp = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>" if nick else ""
    stamp += f"<delay xmlns='urn:xmpp:delay' from='{room}' stamp='*'/>" if nick else ""
    inside = f"<subject>{text}</subject>{stamp}"
    return f"<message type='groupchat' from='{from_}' to='{full(to)}'>{inside}</message>"


def said(nick: str, content: str, *, to: str, id: str = "m", kept: bool = True, room: str = ROOM) -> str:  # noqa: A002
    """A message to everybody."""
    inside = f"{content}<occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>"
    inside += f"<stanza-id xmlns='urn:xmpp:sid:0' by='{room}' id='*'/>" if kept else ""
    return f"<message type='groupchat' id='{id}' from='{room}/{nick}' to='{full(to)}'>{inside}</message>"


def told(*codes: int, to: str, room: str = ROOM) -> str:
    """The room says that something of it changed."""
    statuses = "".join(f"<status code='{code}'/>" for code in codes)
    inside = f"<x xmlns='{NS_MUC}#user'>{statuses}</x>"
    return f"<message type='groupchat' id='*' from='{room}' to='{full(to)}'>{inside}</message>"


def turned_away(nick: str, condition: str, code: str, kind: str, room: str = ROOM) -> str:
    """The error that answers the wish of somebody to enter under their own name."""
    inside = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    reply = f"<error type='{kind}' code='{code}' by='{room}'>{inside}</error>"
    return f"<presence type='error' from='{room}/{nick}' to='{full('bob')}'>{WISH}{reply}</presence>"


def error(name: str, condition: str, code: str, kind: str, *, to: str, from_: str = ROOM, id: str = "") -> str:  # noqa: A002
    """An error stanza of a room without text."""
    number = f" id='{id}'" if id else ""
    inside = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    reply = f"<error type='{kind}' code='{code}' by='{from_.partition('/')[0]}'>{inside}</error>"
    return f"<{name} type='error'{number} from='{from_}' to='{full(to)}'>{reply}</{name}>"


def refusal(client: Client) -> tuple[str, str, str]:
    """Of the one error that came: type, condition and number."""
    (stanza,) = client.take()
    tree = parse(stanza)
    assert tree.get("type") == "error", stanza
    found = tree.find("{jabber:client}error")
    return found.get("type"), found[0].tag.partition("}")[2], found.get("code")
