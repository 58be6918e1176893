"""Two people with two devices each, and a room, over SIGKILL: all devices have all words once, and the same unread."""

from __future__ import annotations

from collections import Counter

from lxml import etree
from tests.faults.ledger import Tally
from tests.faults.load import MAM, RSM, working
from tests.faults.test_resume_over_kills import FINISH_S, SETTINGS, Resumer, collect, kill_again_and_again
from tests.support.limits import within
from tests.support.raw_client import RawClient
from tests.support.server import ParleyServer, Person

KILLS = 4
DEVICES = 4
ROOM = "cave@conference.localhost"
BODY = "{jabber:client}body"
FORWARDED = "{urn:xmpp:forward:0}forwarded/{jabber:client}message"
SENT, RECEIVED = (f"{{urn:xmpp:carbons:2}}{direction}/{FORWARDED}/{BODY}" for direction in ("sent", "received"))
FOUND = f"{{{MAM}}}result/{FORWARDED}"
ENTER = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"


class Device(Resumer):
    """One of several devices of a person, with carbons, that talks to another person and in a room by turns.

    Attributes:
        to_person, to_room: what it said to each, in order.
        from_room: what it heard there, in order.
    """

    def __init__(self, server: ParleyServer, person: Person, peer: Person, resource: str, all_in: Counter[str]) -> None:
        super().__init__(server, person, peer)
        self.resource = resource
        self._all_in = all_in
        self.name = f"{person.name}/{resource}"
        self.to_person: list[str] = []
        self.to_room: list[str] = []
        self.from_room: list[str] = []

    def begin(self, client: RawClient) -> None:
        self._say(client, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        self._say(client, f"<presence to='{ROOM}/{self.person.name}'>{ENTER}</presence>")
        super().begin(client)

    def speak(self, client: RawClient) -> None:
        if len(self._all_in) < DEVICES:
            return
        text = f"{self.name} {len(self.sent)}"
        self.sent.append(text)
        is_for_all = len(self.sent) % 2 == 0
        (self.to_room if is_for_all else self.to_person).append(text)
        to, kind = (ROOM, "groupchat") if is_for_all else (self.peer.address, "chat")
        self._say(client, f"<message to='{to}' type='{kind}'><body>{text}</body></message>")

    def hear(self, stanza: etree._Element) -> None:
        if stanza.tag.endswith("}presence") and stanza.get("from") == f"{self.person.address}/{self.resource}":
            # The last thing that it began with: from now on it hears everything.
            self._all_in[self.name] += 1
        body = stanza.findtext(BODY) or stanza.findtext(SENT) or stanza.findtext(RECEIVED)
        if body is not None:
            (self.from_room if stanza.get("type") == "groupchat" else self.received).append(body)


async def open_room(server: ParleyServer, owner: Person) -> None:
    """A room that stays."""
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(owner.name, owner.password, "owner")
    client.send(f"<presence to='{ROOM}/owner'>{ENTER}</presence>")
    await client.recv_until(lambda element: element.get("from") == f"{ROOM}/owner")
    fields = {"FORM_TYPE": "http://jabber.org/protocol/muc#roomconfig", "muc#roomconfig_persistentroom": "1"}
    form = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields.items())
    query = f"<x xmlns='jabber:x:data' type='submit'>{form}</x>"
    answer = await client.iq("set", f"<query xmlns='http://jabber.org/protocol/muc#owner'>{query}</query>", ROOM)
    assert answer.get("type") == "result", etree.tostring(answer)
    await client.close()


async def texts_in(client: RawClient, archive: str = "") -> list[str]:
    """All texts in an archive, in its order."""
    texts: list[str] = []
    last, is_complete = "", False
    while not is_complete:
        after = f"<after>{last}</after>" if last else ""
        page = f"<set xmlns='{RSM}'><max>250</max>{after}</set>"
        to = f" to='{archive}'" if archive else ""
        client.send(f"<iq type='set' id='{last}q'{to}><query xmlns='{MAM}'>{page}</query></iq>")
        while (element := await client.recv()).get("id") != f"{last}q":
            if (message := element.find(FOUND)) is not None:
                texts.append(message.findtext(BODY) or "")
        fin = element[0]
        is_complete, last = fin.get("complete") == "true", fin.findtext(f".//{{{RSM}}}last") or ""
    return texts


async def compare(server: ParleyServer, device: Device, devices: list[Device], tally: Tally) -> None:
    """What a device has heard, what is in the archives that it can read, and what it is told is unread."""
    client = await RawClient("127.0.0.1", server.c2s_port).connect()
    await client.session(device.person.name, device.person.password, f"{device.resource} again")
    own, room = await texts_in(client), await texts_in(client, ROOM)
    for other in devices:
        name = f"{other.name} to {device.name}"
        if other is not device:
            tally.compare(f"{name}, heard", other.to_person, _by(other, device.received))
        tally.compare(f"{name}, archived", other.to_person, _by(other, own))
        tally.compare(f"{name}, heard in the room", other.to_room, _by(other, device.from_room))
        tally.compare(f"{name}, archived in the room", other.to_room, _by(other, room))
    assert device.from_room == room
    answer = await client.iq("get", "<inbox xmlns='urn:xmpp:inbox:1' messages='false'/>")
    written = [number for number, text in enumerate(own) if text.startswith(f"{device.person.name}/")]
    assert answer[0].get("all-unread") == str(len(own) - 1 - written[-1]), (
        "unread is what came behind the last own word"
    )
    await client.close()


def _by(device: Device, texts: list[str]) -> list[str]:
    return [text for text in texts if text.startswith(f"{device.name} ")]


@within(170)
async def test_all_devices_have_every_word_over_kills() -> None:
    limits = {**SETTINGS, "rooms": ["messages_per_s = 100000", "burst_messages = 1000000"]}
    with ParleyServer(limits, people=3) as server:
        await open_room(server, server.person())
        alice, bob = server.person(), server.person()
        pairs = ((alice, bob), (bob, alice))
        all_in: Counter[str] = Counter()
        devices = [Device(server, *pair, resource, all_in) for pair in pairs for resource in ("phone", "desk")]
        async with working(devices, FINISH_S):
            await kill_again_and_again(server, KILLS)
        for device in devices:
            await collect(device)
        tally = Tally()
        for device in devices:
            await compare(server, device, devices, tally)
    resumed, refused = (sum(getattr(device, name) for device in devices) for name in ("resumed", "refused"))
    print(f"\nresumed: {resumed}, refused: {refused}, words to devices and archives: {tally}")
    assert refused == 0
    assert resumed >= KILLS
    assert tally.acknowledged > 0
    assert tally.is_clean, tally.trouble
