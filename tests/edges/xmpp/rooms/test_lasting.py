"""What outlives the process, and who is elsewhere: restarts, people of other servers, errors that come back."""

from __future__ import annotations

from parley.base.config.rooms import RoomSettings
from parley.edges.xmpp.origin import Origin
from parley.edges.xmpp.rooms.service import Rooms, restore_rooms
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError, error_reply
from parley.protocols.xmpp.jid import JID

from ..clients.test_restart import MemoryJournal, after
from ..clients.test_stream_management import online, resume
from ..extensions.test_push import leave, ready
from ..harness import Harness, is_same
from ..wires import an_edge
from .guests import ROOM, WISH, Party, a_party, admin, config, full, said, shown

DAVE = "dave@elsewhere.example/home"


class Elsewhere:
    """The way to another server, and its stream to us."""

    def __init__(self, harness: Harness) -> None:
        self.sent: list[str] = []
        self.is_down = False
        self.harness = harness
        self.stream = Stream(harness, self)
        harness.host.federation = self

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        if self.is_down:
            raise StanzaError(StanzaCondition.REMOTE_SERVER_TIMEOUT)
        self.sent.append(stanza.decode())

    async def say(self, stanza: str) -> None:
        self.stream.take(Element.from_bytes(stanza.encode()), 0)
        await self.harness.settle()

    def expect(self, *stanzas: str) -> None:
        taken, self.sent = self.sent, []
        assert len(taken) == len(stanzas)
        assert all(map(is_same, taken, stanzas)), (taken, stanzas)


class Stream(Origin):
    """A partner's server."""

    is_ended = False

    def __init__(self, harness: Harness, elsewhere: Elsewhere) -> None:
        super().__init__(harness.host, None)
        self._elsewhere = elsewhere

    def sender(self, element: Element) -> JID:
        return JID.parse(element.from_ or "")

    def stamped(self, element: Element, *, to: str | None, from_: str | None = None) -> bytes:
        return restamp(element, to=to, from_=from_ or element.from_)

    def answer(self, stanza: bytes) -> None:
        self._elsewhere.sent.append(stanza.decode())

    def reply_error(self, element: Element, error: StanzaError) -> None:
        self.answer(error_reply(element, error))

    def handled(self, token: int) -> None:
        """Nobody counts."""

    def hold(self, reason: str) -> None:
        """Nothing is read."""

    def go_on(self, reason: str) -> None:
        """Nothing is read."""

    def done(self) -> None:
        """Nobody waits."""


def dave(nick: str, *codes: int, **more: object) -> str:
    """Presence to dave."""
    return shown(nick, *codes, to="alice", **more).replace("to='alice@example.org/r'", f"to='{DAVE}'")  # type: ignore[arg-type]


async def _with_dave(party: Party) -> Elsewhere:
    elsewhere = Elsewhere(party.harness)
    await party.open("alice", whois="moderators")
    await elsewhere.say(f"<presence from='{DAVE}' to='{ROOM}/dave'>{WISH}</presence>")
    party.forget()
    return elsewhere


async def test_people_of_other_servers_are_occupants_like_others() -> None:
    async with a_party("alice") as party:
        elsewhere = await _with_dave(party)
        assert len(elsewhere.sent) == 3
        elsewhere.sent.clear()
        await elsewhere.say(f"<message type='groupchat' id='m' from='{DAVE}' to='{ROOM}'><body>hi</body></message>")
        party["alice"].expect(said("dave", "<body>hi</body>", to="alice"))
        assert "<body>hi</body>" in elsewhere.sent[0]
        elsewhere.sent.clear()
        await elsewhere.say(f"<presence type='unavailable' from='{DAVE}' to='{ROOM}/dave'/>")
        elsewhere.expect(dave("dave", 110, role="none", gone=True))


async def test_people_of_other_servers_make_no_rooms_unless_they_may() -> None:
    async with a_party("alice") as party:
        elsewhere = Elsewhere(party.harness)
        await elsewhere.say(f"<presence from='{DAVE}' to='{ROOM}/dave'>{WISH}</presence>")
        assert "not-allowed" in elsewhere.sent[0]


GONE = "<error type='cancel'><{} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


async def test_who_cannot_be_reached_is_put_out() -> None:
    for kind, error in (("presence", "item-not-found"), ("message", "remote-server-timeout")):
        async with a_party("alice") as party:
            elsewhere = await _with_dave(party)
            bounced = f"<{kind} type='error' from='{DAVE}' to='{ROOM}/alice'>{{}}</{kind}>"
            await elsewhere.say(bounced.format(GONE.format("not-acceptable")))
            party["alice"].expect()
            await elsewhere.say(bounced.format(GONE.format(error)))
            (presence,) = party["alice"].take()
            # §11.1: nobody kicked them.
            assert 'code="307"' not in presence
            assert 'code="333"' in presence


async def test_who_whispers_hears_that_it_did_not_arrive() -> None:
    async with a_party("alice") as party:
        elsewhere = await _with_dave(party)
        whisper = f"<message type='chat' id='p' to='{ROOM}/dave'><body>psst</body></message>"
        for condition, is_gone in (("not-acceptable", False), ("recipient-unavailable", True)):
            await party["alice"].send(whisper)
            error = GONE.format(condition)
            noticed = error.replace("<error", "<error by='elsewhere.example'")
            bounced = f"<message type='error' id='p' from='{DAVE}' to='{ROOM}/alice'>{noticed}</message>"
            await elsewhere.say(bounced)
            told = f"<message type='error' id='p' from='{ROOM}/dave' to='{full('alice')}'>{error}</message>"
            heard, *left = party["alice"].take()
            assert is_same(heard, told)
            assert bool(left) is is_gone


async def test_who_cannot_be_sent_to_is_put_out() -> None:
    async with a_party("alice", "bob") as party:
        elsewhere = await _with_dave(party)
        elsewhere.is_down = True
        await party["alice"].send(f"<message type='groupchat' id='m' to='{ROOM}'><body>hi</body></message>")
        assert 'code="333"' in party["alice"].take()[-1]


async def test_no_client_of_ours_is_put_out_by_an_error_it_sends() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        error = GONE.format("item-not-found")
        await party["bob"].send(f"<message type='error' to='{ROOM}/alice'>{error}</message>")
        party["alice"].expect()


async def test_a_restart_changes_nothing_for_those_whose_sessions_live_on() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", "bob", "carol", moderatedroom=True)
        await party["bob"].send(f"<presence to='{ROOM}/bob'><show>away</show></presence>")
        # The process ends, and only alice and bob come back to their sessions.
        party.forget()
        party.harness.host._memories.clear()
        party.harness.host.router.remove(party["carol"].session)
        await restore_rooms(party.harness.host)
        party["bob"].expect(shown("carol", to="bob", role="none", gone=True))
        party["alice"].expect(shown("carol", to="alice", role="none", jid="carol", gone=True))
        await party["alice"].send(f"<message type='groupchat' id='m' to='{ROOM}'><body>hi</body></message>")
        party["bob"].expect(said("alice", "<body>hi</body>", to="bob"))
        await party.connect("carol/2")
        await party.enter("carol/2", "carol")
        presences = [stanza for stanza in party["carol/2"].take() if f"{ROOM}/bob" in stanza]
        assert "<show>away</show>" in presences[0]
        assert 'role="visitor"' in presences[0]


async def test_a_room_that_nobody_came_back_to_goes_unless_it_is_to_stay() -> None:
    for is_persistent in (False, True):
        async with a_party("alice") as party:
            await party.open("alice", persistentroom=is_persistent)
            party.harness.host._memories.clear()
            party.harness.host.router.remove(party["alice"].session)
            await restore_rooms(party.harness.host)
            await party.harness.settle()
            assert (await party.harness.storage.rooms.find(ROOM) is not None) is is_persistent
            assert await party.harness.storage.rooms.occupants() == []


async def test_who_has_a_voice_in_a_moderated_room_has_it_again_also_after_a_restart() -> None:
    """§5.1: a SHOULD for moderated rooms. Who lost a voice does not get it back by leaving."""
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", moderatedroom=True, persistentroom=True)
        await party.affiliate("alice", "carol", "member")
        for name, voice in (("bob", "participant"), ("carol", "visitor")):
            await party.enter(name)
            await party["alice"].send(admin(f"<item nick='{name}' role='{voice}'/>"))
        for name in ("alice", "bob", "carol"):
            await party[name].send(f"<presence type='unavailable' to='{ROOM}/{name}'/>")
        party.harness.host._memories.clear()
        for name, voice in (("bob", "participant"), ("carol", "visitor")):
            party.forget()
            await party.enter(name)
            (own,) = [stanza for stanza in party[name].take() if 'code="110"' in stanza]
            assert f'role="{voice}"' in own
        await party.harness.host.memory(Rooms).forget_person("bob@example.org")
        party.harness.host._memories.clear()
        stored = await party.harness.storage.rooms.find(ROOM)
        assert stored is not None
        assert list(stored.voices) == ["carol@example.org"]


async def test_a_room_whose_owner_is_lost_before_it_was_configured_is_not_left_behind() -> None:
    async with a_party("alice", rooms=RoomSettings(creation="anyone", persistent=True)) as party:
        elsewhere = Elsewhere(party.harness)
        await elsewhere.say(f"<presence from='{DAVE}' to='{ROOM}/dave'>{WISH}</presence>")
        bounced = f"<presence type='error' from='{DAVE}' to='{ROOM}/dave'>{GONE.format('item-not-found')}</presence>"
        await elsewhere.say(bounced)
        assert await party.harness.storage.rooms.all() == []


async def test_an_account_that_goes_leaves_nothing_in_rooms() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob")
        await party.affiliate("alice", "bob", "admin")
        await party.harness.host.memory(Rooms).forget_person("bob@example.org")
        party["bob"].expect(shown("bob", 110, to="bob"))
        stored = await party.harness.storage.rooms.find(ROOM)
        assert stored is not None
        assert list(stored.standings) == ["alice@example.org"]


ROOM_PRESENCE = f"<presence to='{ROOM}/{{}}'>{WISH}</presence>"


async def test_a_client_that_resumes_after_a_restart_misses_nothing_of_its_room() -> None:
    journal = MemoryJournal()
    async with an_edge(journal=journal) as first:
        alice, alice_id = await online(first, "alice")
        bob, _ = await online(first, "bob")
        await first.say(alice, ROOM_PRESENCE.format("alice"))
        await first.say(alice, config())
        await first.say(bob, ROOM_PRESENCE.format("bob"))
        seen = await first.settle(alice)
    async with an_edge(storage=first.storage, journal=after(journal)) as second:
        await restore_rooms(second.host)
        # Said while alice is away: it waits for her, as it would have without a restart.
        bob = second.host.router.of("bob@example.org")["r"]
        message = f"<message type='groupchat' id='m' to='{ROOM}'><body>still here</body></message>"
        bob.receive(Element.from_bytes(message.encode()))
        _, answer = await resume(second, alice_id, 1)
        assert "<resumed" in answer
        assert answer.count("<body>still here</body>") == 1
        assert "unavailable" not in answer
        assert [one.nick for one in await second.storage.rooms.occupants()] == ["alice", "bob"]
    assert "still here" not in seen


async def test_members_who_are_away_are_woken() -> None:
    async with an_edge() as edge:
        service, alice, bob = await ready(edge)
        await edge.say(alice, ROOM_PRESENCE.format("alice"))
        await edge.say(alice, config())
        item = "<item jid='bob@example.org' affiliation='member'/>"
        query = f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>"
        await edge.say(alice, f"<iq type='set' id='q' to='{ROOM}'>{query}</iq>")
        await leave(edge, bob)
        for _ in range(3):
            await edge.say(alice, f"<message type='groupchat' to='{ROOM}'><body>secret words</body></message>")
        (asked,) = service.asked
        assert 'from="bob@example.org"' in asked
        assert "secret words" not in asked
        assert ROOM not in asked
        typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
        edge.clock.advance(600)
        await edge.settle(alice)
        edge.clock.advance(600)
        service.asked.clear()
        await edge.say(alice, f"<message type='groupchat' to='{ROOM}'>{typing}</message>")
        assert service.asked == []
