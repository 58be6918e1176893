"""XEP-0045 §7.2.13 to §7.5, §8.1: what is said to all, to one, and what was said before; XEP-0421, 0359, 0424, 0425."""

from __future__ import annotations

import pytest

from parley.base.config import ArchiveSettings
from parley.base.config.rooms import RoomSettings
from parley.domain.errors import StorageFull
from parley.domain.rooms.ports import RoomMessage, RoomStore
from parley.edges.xmpp.rooms.service import Rooms
from parley.protocols.xmpp.jid import JID

from ..harness import parse
from .guests import NS_MUC, ROOM, WISH, Party, a_party, admin, done, error, full, refusal, said, shown, subject


def groupchat(content: str, id: str = "m") -> str:  # noqa: A002
    return f"<message type='groupchat' id='{id}' to='{ROOM}'>{content}</message>"


def ids(stanza: str) -> tuple[str, str]:
    """The occupant's and the archive's id on a message."""
    tree = parse(stanza)
    return (
        tree.find("{urn:xmpp:occupant-id:0}occupant-id").get("id"),
        tree.find("{urn:xmpp:sid:0}stanza-id").get("id"),
    )


async def test_everybody_gets_what_is_said_with_the_ids_of_the_room() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        content = "<body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
        forged = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='1'/><x xmlns='{NS_MUC}#user'/>"
        forged += "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='alice'/>"
        await party["bob"].send(groupchat(content + forged))
        party["alice"].expect(said("bob", content, to="alice"))
        party["bob"].expect(said("bob", content, to="bob"))


async def test_an_occupants_id_stays_the_same_under_another_nickname_and_differs_between_rooms() -> None:
    other = "heath@conference.example.org"
    async with a_party("alice") as party:
        await party.open("alice")
        await party.open("alice", room=other)
        seen = []
        for room, nick in ((ROOM, "alice"), (ROOM, "liz"), (other, "alice")):
            await party["alice"].send(f"<presence to='{room}/{nick}'/>")
            party.forget()
            await party["alice"].send(f"<message type='groupchat' id='m' to='{room}'><body>hi</body></message>")
            seen.append(ids(party["alice"].take()[0])[0])
        assert seen[0] == seen[1] != seen[2]


async def test_who_has_no_voice_or_is_not_there_is_not_heard() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", moderatedroom=True)
        await party["bob"].send(groupchat("<body>hi</body>"))
        assert refusal(party["bob"]) == ("auth", "forbidden", "403")
        await party["carol"].send(groupchat("<body>hi</body>"))
        assert refusal(party["carol"]) == ("cancel", "not-acceptable", "406")
        party["alice"].expect()
        await party["carol"].send(f"<message type='groupchat' id='m' to='x{ROOM}'><body>hi</body></message>")
        missing = error("message", "item-not-found", "404", "cancel", to="carol", from_=f"x{ROOM}", id="m")
        party["carol"].expect(missing)


async def test_what_is_for_all_is_of_the_right_type() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["bob"].send(f"<message type='chat' to='{ROOM}'><body>hi</body></message>")
        assert refusal(party["bob"]) == ("modify", "bad-request", "400")


async def test_a_private_message() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        await party["bob"].send(f"<message type='chat' id='p' to='{ROOM}/alice'><body>psst</body></message>")
        mark = f"<x xmlns='{NS_MUC}#user'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>"
        attrs = f"type='chat' id='p' from='{ROOM}/bob' to='{full('alice')}'"
        party["alice"].expect(f"<message {attrs}><body>psst</body>{mark}</message>")
        for to, type_, wanted in (
            ("nobody", "chat", ("cancel", "item-not-found", "404")),
            ("alice", "groupchat", ("modify", "bad-request", "400")),
        ):
            await party["bob"].send(f"<message type='{type_}' to='{ROOM}/{to}'><body>psst</body></message>")
            assert refusal(party["bob"]) == wanted
        await party["carol"].send(f"<message type='chat' to='{ROOM}/alice'><body>psst</body></message>")
        assert refusal(party["carol"]) == ("cancel", "not-acceptable", "406")
        await party.configure("alice", allowpm="moderators")
        party.forget()
        await party["bob"].send(f"<message type='chat' to='{ROOM}/alice'><body>psst</body></message>")
        assert refusal(party["bob"]) == ("auth", "forbidden", "403")


async def test_the_subject() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        await party["bob"].send(groupchat("<subject>mine</subject>"))
        assert refusal(party["bob"]) == ("auth", "forbidden", "403")
        await party["alice"].send(groupchat("<subject>Fire burn</subject>"))
        party["bob"].expect(said("alice", "<subject>Fire burn</subject>", to="bob"))
        await party.enter("carol")
        party["carol"].connection.sent[:] = party["carol"].connection.sent[-1:]
        party["carol"].expect(subject("carol", "Fire burn", "alice"))
        await party.configure("alice", changesubject=True)
        party.forget()
        # With a body, or with a thread, it is a message like others.
        content = "<subject>of this</subject><body>message</body>"
        await party["bob"].send(groupchat(content))
        party["alice"].expect(said("bob", content, to="alice"))
        await party["bob"].send(groupchat("<subject/>"))
        stored = await party.harness.storage.rooms.find(ROOM)
        assert stored is not None
        assert (stored.subject.text, stored.subject.nick) == ("", "bob")
        await party.enter("carol")
        party["carol"].connection.sent[:] = party["carol"].connection.sent[-1:]
        party["carol"].expect(subject("carol", "", "bob"))
        party.forget()
        await party["bob"].send(groupchat(f"<subject>{'x' * 5000}</subject>"))
        assert refusal(party["bob"]) == ("modify", "not-acceptable", "406")


HISTORY = [
    ("<history maxstanzas='2'/>", ["3", "4"]),
    ("<history maxchars='0'/>", []),
    ("<history maxstanzas='0'/>", []),
    ("<history seconds='25'/>", ["3", "4"]),
    ("<history since='2024-01-01T00:00:30Z'/>", ["4"]),
    ("<history since='nonsense' maxstanzas='-1'/>", ["1", "2", "3", "4"]),
    ("<history maxstanzas='3' seconds='15'/>", ["4"]),
    ("", ["1", "2", "3", "4"]),
]


@pytest.mark.parametrize(("asked", "wanted"), HISTORY)
async def test_who_enters_is_shown_what_was_said_as_much_as_asked_for(asked: str, wanted: list[str]) -> None:
    async with a_party("alice", "bob") as party:
        await _talk(party)
        await party.enter("bob", content=f"<x xmlns='{NS_MUC}'>{asked}</x>")
        assert _bodies(party) == wanted


async def _talk(party: Party) -> None:
    """Messages ten seconds apart, the last of them ten seconds ago."""
    await party.open("alice")
    for number in "1234":
        await party["alice"].send(groupchat(f"<body>{number}</body>"))
        await party["alice"].send(groupchat("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
        party.harness.clock.advance(10)
    await party["alice"].send(groupchat("<body>x</body><no-store xmlns='urn:xmpp:hints'/>"))


def _bodies(party: Party) -> list[str]:
    trees = [parse(stanza) for stanza in party["bob"].take()]
    return [tree.findtext("{jabber:client}body") for tree in trees if tree.find("{jabber:client}body") is not None]


async def test_history_is_stamped_and_whole_and_fits_in_as_many_characters_as_asked_for() -> None:
    async with a_party("alice", "bob") as party:
        await _talk(party)
        await party.enter("bob")
        shown_again = [stanza for stanza in party["bob"].take() if "<body>" in stanza]
        stamp = f"<delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2024-01-01T00:00:30Z'/>"
        attrs = f"type='groupchat' id='m' from='{ROOM}/alice' to='{full('bob')}'"
        identity = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>"
        kept = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='*'/>"
        party["bob"].connection.sent[:] = [shown_again[-1].encode()]
        party["bob"].expect(f"<message {attrs}><body>4</body>{identity}{stamp}{kept}</message>")
        two = len(shown_again[-1]) + len(shown_again[-2])
        for characters, wanted in ((two, ["3", "4"]), (two - 1, ["4"])):
            await party.enter("bob", content=f"<x xmlns='{NS_MUC}'><history maxchars='{characters}'/></x>")
            assert _bodies(party) == wanted


async def test_history_outlives_the_memory_of_the_room() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", persistentroom=True, history=2)
        for number in "123":
            await party["alice"].send(groupchat(f"<body>{number}</body>"))
        party.harness.host._memories.clear()
        await party.enter("bob")
        assert _bodies(party) == ["2", "3"]


async def test_a_conversation_that_an_owner_brings_along_keeps_its_times() -> None:
    """§7.9: the room adds no time of its own to what its owner says was said before; others have no say in it."""
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        for name, stamp in (
            ("alice", "2004-09-29T01:54:37Z"),
            ("alice", "2030-01-01T00:00:00Z"),
            ("bob", "2004-09-29T01:54:37Z"),
        ):
            delay = f"<delay xmlns='urn:xmpp:delay' from='{full(name)}' stamp='{stamp}'/>"
            await party[name].send(groupchat(f"<body>Thrice</body>{delay}"))
        assert "2004-09-29" in party["bob"].take()[0]
        await party.enter("carol")
        again = [parse(stanza) for stanza in party["carol"].take() if "Thrice" in stanza]
        seen = [[(d.get("from"), d.get("stamp")) for d in tree.iter("{urn:xmpp:delay}delay")] for tree in again]
        now = (ROOM, "2024-01-01T00:00:00Z")
        assert seen == [[(ROOM, "2004-09-29T01:54:37Z")], [now], [(full("bob"), "2004-09-29T01:54:37Z"), now]]


async def test_without_archives_there_is_history_and_no_id_of_any() -> None:
    async with a_party("alice", "bob", archive=ArchiveSettings(enabled=False)) as party:
        await party.open("alice")
        await party["alice"].send(groupchat("<body>1</body>"))
        party["alice"].expect(said("alice", "<body>1</body>", to="alice", kept=False))
        await party.enter("bob")
        party["bob"].take()


async def test_a_message_sent_again_is_said_once() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        message = groupchat("<body>hi</body><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>")
        await party["bob"].send(message)
        (first,) = party["bob"].take()
        party["alice"].take()
        await party["bob"].send(message)
        (again,) = party["bob"].take()
        assert ids(first) == ids(again)
        party["alice"].expect()


async def test_who_talks_too_fast_is_slowed() -> None:
    async with a_party("alice", rooms=RoomSettings(messages_per_s=1, burst_messages=3)) as party:
        await party.open("alice")
        for _ in range(4):
            party["alice"].take()
            await party["alice"].send(groupchat("<body>hi</body>"))
        assert refusal(party["alice"]) == ("wait", "resource-constraint", "500")
        party.harness.clock.advance(1)
        await party["alice"].send(groupchat("<body>hi</body>"))
        party["alice"].expect(said("alice", "<body>hi</body>", to="alice"))


async def test_coming_and_going_is_slowed_too_and_so_is_guessing_a_password() -> None:
    async with a_party("alice", "bob", rooms=RoomSettings(messages_per_s=1, burst_messages=5)) as party:
        await party.open("alice")
        for _ in range(5):
            await party.enter("bob")
            await party["bob"].send(f"<presence type='unavailable' to='{ROOM}/bob'/>")
        party.forget()
        await party.enter("bob")
        assert refusal(party["bob"]) == ("wait", "resource-constraint", "500")
        party["alice"].expect()
        party.harness.clock.advance(10)
        await party.configure("alice", passwordprotectedroom=True, roomsecret="s")
        answers = []
        for _ in range(6):
            party.forget()
            await party.enter("bob")
            answers.append(refusal(party["bob"])[1])
        assert answers == ["not-authorized"] * 5 + ["resource-constraint"]


RETRACT = "<retract xmlns='urn:xmpp:message-retract:1' id='{}'/>"


async def test_who_said_it_takes_it_back() -> None:
    async with a_party("alice", "bob", "carol", archive=ArchiveSettings(retractions="tombstone")) as party:
        await party.open("alice", "bob")
        await party["bob"].send(groupchat("<body>oops</body>"))
        (reflected,) = party["alice"].take()
        message_id = ids(reflected)[1]
        party.forget()
        await party["alice"].send(groupchat(RETRACT.format(message_id)))
        assert refusal(party["alice"]) == ("auth", "forbidden", "403")
        await party["bob"].send(groupchat(RETRACT.format(message_id)))
        party["alice"].expect(said("bob", RETRACT.format(message_id), to="alice"))
        await party.enter("carol")
        assert not [stanza for stanza in party["carol"].take() if "oops" in stanza]
        await party["carol"].send(f"<iq type='set' id='a' to='{ROOM}'><query xmlns='urn:xmpp:mam:2'/></iq>")
        page = "".join(party["carol"].take())
        assert "oops" not in page
        assert page.count("<retracted") == 1


WISHES = (
    "<moderate xmlns='urn:xmpp:message-moderate:1' id='{}'>"
    "<retract xmlns='urn:xmpp:message-retract:1'/><reason>no spam</reason></moderate>",
    "<apply-to xmlns='urn:xmpp:fasten:0' id='{}'><moderate xmlns='urn:xmpp:message-moderate:0'>"
    "<retract xmlns='urn:xmpp:message-retract:0'/><reason>no spam</reason></moderate></apply-to>",
)


@pytest.mark.parametrize("request_", WISHES)
async def test_a_moderator_takes_it_back(request_: str) -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        await party["bob"].send(groupchat("<body>spam</body>"))
        (reflected,) = party["alice"].take()
        message_id = ids(reflected)[1]
        party.forget()
        asked = f"<iq type='set' id='q' to='{ROOM}'>{request_.format(message_id)}</iq>"
        await party["bob"].send(asked)
        assert refusal(party["bob"]) == ("auth", "forbidden", "403")
        await party["alice"].send(asked.replace(message_id, "nothing"))
        assert refusal(party["alice"]) == ("cancel", "item-not-found", "404")
        await party["alice"].send(asked)
        result, announced = party["alice"].take()
        assert "result" in result
        identity = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/>"
        by = f"<moderated xmlns='urn:xmpp:message-moderate:1' by='{ROOM}/alice'>{identity}</moderated>"
        inside = f"<retract xmlns='urn:xmpp:message-retract:1' id='{message_id}'>{by}"
        inside += "<reason xmlns='urn:xmpp:message-retract:1'>no spam</reason></retract>"
        older = f"<moderated xmlns='urn:xmpp:message-moderate:0' by='{ROOM}/alice'>"
        older += "<retract xmlns='urn:xmpp:message-retract:0'/>"
        older += "<reason xmlns='urn:xmpp:message-moderate:0'>no spam</reason></moderated>"
        inside += f"<apply-to xmlns='urn:xmpp:fasten:0' id='{message_id}'>{older}</apply-to>"
        kept = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='*'/>"
        party["bob"].expect(
            f"<message type='groupchat' id='*' from='{ROOM}' to='{full('bob')}'>{inside}{kept}</message>"
        )
        assert message_id in announced
        await party.enter("carol")
        assert not [stanza for stanza in party["carol"].take() if "spam" in stanza]
        await party["carol"].send(f"<iq type='set' id='a' to='{ROOM}'><query xmlns='urn:xmpp:mam:2'/></iq>")
        page = party["carol"].take()
        assert "<body>spam" not in "".join(page)
        assert "retracted" in page[0]
        assert f'by="{ROOM}/alice"' in page[0]


async def test_voice_is_asked_for_and_granted() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", moderatedroom=True)

        def form(kind: str, **values: str) -> str:
            fields = f"<field var='FORM_TYPE'><value>{NS_MUC}#request</value></field>"
            fields += "".join(f"<field var='muc#{k}'><value>{v}</value></field>" for k, v in values.items())
            return f"<message to='{ROOM}'><x xmlns='jabber:x:data' type='{kind}'>{fields}</x></message>"

        await party["carol"].send(form("submit", role="participant"))
        assert refusal(party["carol"]) == ("cancel", "not-acceptable", "406")
        await party["bob"].send(form("submit", role="moderator"))
        assert refusal(party["bob"]) == ("modify", "bad-request", "400")
        await party["bob"].send(form("submit", role="participant"))
        party["bob"].expect()
        (asked,) = party["alice"].take()
        values = {
            f.get("var"): f.findtext("{jabber:x:data}value") for f in parse(asked)[0].iter("{jabber:x:data}field")
        }
        assert values["muc#jid"] == full("bob")
        assert '<field var="muc#role" type="list-single"' in asked
        approval = {name.removeprefix("muc#"): value for name, value in values.items() if name.startswith("muc#")}
        await party["bob"].send(form("submit", **{**approval, "request_allow": "1"}))
        assert refusal(party["bob"]) == ("auth", "forbidden", "403")
        await party["alice"].send(form("submit", **{**approval, "request_allow": "1"}))
        party["bob"].expect(shown("bob", 110, to="bob", by="alice"))
        party["alice"].expect(shown("bob", to="alice", jid="bob", by="alice"))


async def test_one_asks_another_without_either_real_address() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob")
        query = "<query xmlns='jabber:iq:version'/>"
        await party["bob"].send(f"<iq type='get' id='v' to='{ROOM}/alice'>{query}</iq>")
        (asked,) = party["alice"].take()
        tree = parse(asked)
        assert (tree.get("from"), tree.get("to")) == (f"{ROOM}/bob", full("alice"))
        answer = "<query xmlns='jabber:iq:version'><name>x</name></query>"
        # Nobody else answers in her place.
        await party["carol"].send(f"<iq type='result' id='{tree.get('id')}' to='{ROOM}/bob'>{answer}</iq>")
        party["bob"].expect()
        await party["alice"].send(f"<iq type='result' id='{tree.get('id')}' to='{ROOM}/bob'>{answer}</iq>")
        party["bob"].expect(f"<iq type='result' id='v' from='{ROOM}/alice' to='{full('bob')}'>{answer}</iq>")
        await party["bob"].send(f"<iq type='get' id='v' to='{ROOM}/nobody'>{query}</iq>")
        assert refusal(party["bob"]) == ("cancel", "item-not-found", "404")


async def test_an_error_does_not_tell_the_address_of_who_noticed_it() -> None:
    """§17.4: the address of who is asked MUST NOT be revealed; RFC 6120 §8.3.2 has errors bear one."""
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party["bob"].send(f"<iq type='get' id='v' to='{ROOM}/alice'><query xmlns='urn:q'/></iq>")
        number = parse(party["alice"].take()[0]).get("id")
        condition = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        told = f"<query xmlns='urn:q'/><error type='cancel'{{}}>{condition}</error>"
        noticed = told.format(" by='alice@example.org'")
        await party["alice"].send(f"<iq type='error' id='{number}' to='{ROOM}/bob'>{noticed}</iq>")
        answer = f"<iq type='error' id='v' from='{ROOM}/alice' to='{full('bob')}'>{told.format('')}</iq>"
        party["bob"].expect(answer)


async def test_who_refuses_is_named_in_the_error() -> None:
    """XEP-0410 §3.2: so that a client knows the room's refusal from that of another occupant."""
    async with a_party("alice", "bob") as party:
        await party.open("alice")
        refused = {"to": "bob", "from_": f"{ROOM}/alice", "id": "p"}
        await party["bob"].ask(
            f"<iq type='get' id='p' to='{ROOM}/alice'><ping xmlns='urn:xmpp:ping'/></iq>",
            error("iq", "not-acceptable", "406", "cancel", **refused).replace("</error>", f"{NOT_INSIDE}</error>"),
        )
        await party["bob"].ask(
            f"<message type='chat' id='p' to='{ROOM}/alice'><body>psst</body></message>",
            error("message", "not-acceptable", "406", "cancel", **refused).replace("</error>", f"{NOT_INSIDE}</error>"),
        )


NOT_INSIDE = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>you are not in the room</text>"


async def test_am_i_still_inside() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        ping = "<iq type='get' id='p' to='{}'><ping xmlns='urn:xmpp:ping'/></iq>"
        await party["bob"].ask(ping.format(f"{ROOM}/bob"), done("bob", request="p", room=f"{ROOM}/bob"))
        await party["bob"].send(f"<presence type='unavailable' to='{ROOM}/bob'/>")
        party.forget()
        await party["bob"].send(ping.format(f"{ROOM}/bob"))
        assert refusal(party["bob"]) == ("cancel", "not-acceptable", "406")
        await party["bob"].send(ping.format(f"x{ROOM}/bob"))
        assert refusal(party["bob"]) == ("cancel", "not-acceptable", "406")
        await party["bob"].send(f"<iq type='get' id='d' to='{ROOM}/alice'><query xmlns='{DISCO}'/></iq>")
        assert refusal(party["bob"]) == ("modify", "bad-request", "400")


DISCO = "http://jabber.org/protocol/disco#info"


async def test_what_is_said_to_a_room_that_is_not_unlocked_meets_nobody() -> None:
    async with a_party("alice") as party:
        await party.enter("alice", content=WISH)
        party.forget()
        await party["alice"].send(groupchat("<body>hi</body>"))
        assert refusal(party["alice"]) == ("cancel", "item-not-found", "404")


async def test_a_request_that_no_room_understands() -> None:
    async with a_party("alice") as party:
        await party.open("alice")
        await party["alice"].send(f"<iq type='get' id='q' to='{ROOM}'><query xmlns='urn:unknown'/></iq>")
        assert refusal(party["alice"]) == ("cancel", "service-unavailable", "503")
        await party["alice"].send(admin("<item role='participant'/>", kind="get", room=f"x{ROOM}"))
        assert refusal(party["alice"]) == ("cancel", "item-not-found", "404")


async def test_a_card_is_asked_for_at_the_account_and_not_at_one_of_its_clients() -> None:
    async with a_party("alice", "bob") as party:
        elsewhere: list[str] = []

        class Abroad:
            def send(self, stanza: bytes, sender: JID, to: JID) -> None:
                elsewhere.append(stanza.decode())

        await party.open("alice", "bob")
        live = party.harness.host.memory(Rooms)._live[ROOM]
        live.room.enter("dave@elsewhere.example/home", "dave@elsewhere.example", "dave", b"<presence/>")
        party.harness.host.federation = Abroad()  # type: ignore[assignment]
        card = "<vCard xmlns='vcard-temp'/>"
        await party["bob"].send(f"<iq type='get' id='v' to='{ROOM}/dave'>{card}</iq>")
        tree = parse(elsewhere[-1])
        assert (tree.get("from"), tree.get("to")) == (f"{ROOM}/bob", "dave@elsewhere.example")
        answer = f"<iq type='result' id='{tree.get('id')}' from='dave@elsewhere.example' to='{ROOM}/bob'>{card}</iq>"
        party.harness.host.services.send(answer.encode(), JID.parse(f"{ROOM}/bob"))
        await party.harness.settle()
        party["bob"].expect(f"<iq type='result' id='v' from='{ROOM}/dave' to='{full('bob')}'>{card}</iq>")


class FullDisk:
    """The rooms of a storage that has no room for another message."""

    def __init__(self, rooms: RoomStore) -> None:
        self._rooms = rooms

    async def append(self, room: str, message: RoomMessage, dedup_key: bytes | None = None) -> str | None:
        raise StorageFull("storage-full")

    def __getattr__(self, name: str) -> object:
        return getattr(self._rooms, name)


async def test_what_could_not_be_stored_is_seen_by_nobody_and_its_sender_is_told() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        stores = party.harness.host.stores
        stores.rooms = FullDisk(stores.rooms)  # type: ignore[assignment]
        await party["bob"].send(groupchat("<body>hi</body>"))
        assert refusal(party["bob"]) == ("wait", "resource-constraint", "500")
        party["alice"].expect()
