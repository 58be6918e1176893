"""Fuzz target: whatever three people say to rooms, no handler fails, and rooms know who is inside."""

import asyncio

from tests.edges.xmpp.harness import Harness

from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.rooms.service import Rooms
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import PayloadError

ROOM = b"r@conference.example.org"
MUC = b"http://jabber.org/protocol/muc"
PEOPLE = ("alice", "bob", "carol")


def _presence(nick: bytes, content: bytes = b"<x xmlns='%b'/>" % MUC, attrs: bytes = b"") -> bytes:
    return b"<presence to='%b/%b'%b>%b</presence>" % (ROOM, nick, attrs, content)


def _iq(content: bytes, kind: bytes = b"set") -> bytes:
    return b"<iq type='%b' id='i' to='%b'>%b</iq>" % (kind, ROOM, content)


def _form(fields: bytes = b"") -> bytes:
    return _iq(b"<query xmlns='%b#owner'><x xmlns='jabber:x:data' type='submit'>%b</x></query>" % (MUC, fields))


def _field(name: bytes, value: bytes) -> bytes:
    return b"<field var='muc#roomconfig_%b'><value>%b</value></field>" % (name, value)


def _admin(item: bytes, kind: bytes = b"set") -> bytes:
    return _iq(b"<query xmlns='%b#admin'><item %b/></query>" % (MUC, item), kind)


def _message(content: bytes, to: bytes = ROOM, kind: bytes = b"groupchat") -> bytes:
    return b"<message type='%b' id='m' to='%b'>%b</message>" % (kind, to, content)


OPEN = b"a" + _presence(b"alice") + b"\na" + _form() + b"\nb" + _presence(b"bob") + b"\nc" + _presence(b"carol") + b"\n"
# A line for each stanza; its first letter says who sends it.
SEEDS = [
    OPEN + b"b" + _message(b"<body>hi</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/>") + b"\nb" + _presence(b"rob"),
    OPEN + b"a" + _admin(b"nick='bob' role='none'") + b"\na" + _admin(b"jid='carol@example.org' affiliation='outcast'"),
    OPEN + b"a" + _form(_field(b"membersonly", b"1") + _field(b"roomsecret", b"s") + _field(b"whois", b"anyone")),
    OPEN + b"a" + _message(b"<subject>s</subject>") + b"\nb" + _message(b"<body>p</body>", ROOM + b"/carol", b"chat"),
    OPEN
    + b"a"
    + _message(b"<x xmlns='%b#user'><invite to='bob@example.org'><reason>r</reason></invite></x>" % MUC, kind=b"normal")
    + b"\nb"
    + _message(b"<x xmlns='%b#user'><decline to='alice@example.org'/></x>" % MUC, kind=b"normal"),
    OPEN
    + b"a"
    + _iq(
        b"<query xmlns='urn:xmpp:mam:2' queryid='q'><set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set></query>"
    )
    + b"\nb"
    + _iq(b"<query xmlns='http://jabber.org/protocol/disco#info'/>", b"get")
    + b"\nb"
    + _iq(b"<query xmlns='jabber:iq:register'/>", b"get"),
    OPEN
    + b"a"
    + _iq(
        b"<moderate xmlns='urn:xmpp:message-moderate:1' id='x'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>"
    )
    + b"\na"
    + _iq(b"<vCard xmlns='vcard-temp'><PHOTO><BINVAL>eA==</BINVAL></PHOTO></vCard>")
    + b"\na"
    + _iq(b"<query xmlns='%b#owner'><destroy jid='o@c'><reason>r</reason></destroy></query>" % MUC),
    OPEN
    + b"b"
    + _presence(b"bob", b"<x xmlns='%b'><history maxchars='1' since='2024-01-01T00:00:00Z'/></x>" % MUC)
    + b"\nb"
    + _presence(b"bob", b"<status>s</status>", b" type='unavailable'")
    + b"\nc<presence type='error' to='r@conference.example.org/alice'/>",
]


def target(data: bytes) -> None:
    asyncio.run(_play(data))


async def _play(data: bytes) -> None:
    async with Harness() as harness:
        await harness.add(*PEOPLE)
        clients = [await harness.connect(f"{name}/r", presence="") for name in PEOPLE]
        for line in data.split(b"\n"):
            try:
                element = Element.from_bytes(line[1:])
            except PayloadError:
                continue
            if element.name not in ("message", "presence", "iq"):
                continue
            client = clients[(line[0] - ord("a")) % len(clients)]
            if not client.session.is_ended:
                client.session.receive(element)
                await harness.settle()
        for client in clients:
            assert b"internal-server-error" not in b"".join(client.connection.sent)
        _check(harness)


def _check(harness: Harness) -> None:
    rooms = harness.host.memory(Rooms)
    for live in rooms._live.values():
        room = live.room
        inside = {session for occupant in room.occupants.values() for session in occupant.sessions}
        assert inside == set(room.sessions)
        assert all(live in rooms.rooms_of(session) for session in inside)
        assert any(one.affiliation is Affiliation.OWNER for one in room.standings.values())
        assert all(room.affiliation(one.address) is not Affiliation.OUTCAST for one in room.occupants.values())


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
