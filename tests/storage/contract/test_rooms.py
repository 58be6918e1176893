from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from parley.domain.errors import NotFound
from parley.domain.rooms.config import Audience, RoomConfig
from parley.domain.rooms.ports import RoomArchivePage, RoomArchiveQuery, RoomMessage, RoomStore, StoredOccupant
from parley.domain.rooms.room import RoomState, Subject
from parley.domain.rooms.standing import Affiliation, Role, Standing
from parley.storage.memory.rooms import MemoryRooms

from ..people import ALICE, BOB, CAROL, AnyStorage
from .machines import SQLITE, StorageMachine

ROOM = "cave@conference.example.org"
OTHER = "heath@conference.example.org"
CONFIG = RoomConfig(
    name="Höhle",
    is_persistent=True,
    password="cauldronburn",
    private_messages=Audience.PARTICIPANTS,
    presence_of=frozenset({Role.MODERATOR}),
)


def a_room(address: str = ROOM, **changes: object) -> RoomState:
    standings = {ALICE: Standing(Affiliation.OWNER), BOB: Standing(Affiliation.MEMBER, "bob", "a friend")}
    room = RoomState(address, ALICE, 5, config=CONFIG, standings=standings, subject=Subject(b"<s/>", "s", "a", 7))
    return replace(room, **changes)  # type: ignore[arg-type]


def message(number: int, nick: str = "bob", *, at: int | None = None, in_history: bool = True) -> RoomMessage:
    name = f"00000000-0000-7000-8000-{number:012x}"
    return RoomMessage(name, number if at is None else at, BOB, nick, b"<message %d/>" % number, in_history)


async def test_a_room_is_found_as_it_was_saved(storage: AnyStorage) -> None:
    rooms = storage.rooms
    assert await rooms.find(ROOM) is None
    await rooms.save(a_room())
    assert await rooms.find(ROOM) == a_room()
    changed = a_room(config=replace(CONFIG, is_public=False), standings={CAROL: Standing(Affiliation.OWNER)})
    await rooms.save(changed)
    assert await rooms.find(ROOM) == changed
    await rooms.set_standings(ROOM, {BOB: Standing(Affiliation.OUTCAST, "", "r"), CAROL: Standing(Affiliation.NONE)})
    await rooms.set_subject(ROOM, Subject(b"<t/>", "t", "b", 9))
    found = await rooms.find(ROOM)
    assert found is not None
    assert found.standings == {BOB: Standing(Affiliation.OUTCAST, "", "r")}
    assert found.subject == Subject(b"<t/>", "t", "b", 9)
    assert await rooms.delete(ROOM)
    assert not await rooms.delete(ROOM)
    assert await rooms.find(ROOM) is None


async def test_nothing_is_changed_of_a_room_that_is_gone(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.set_standings(ROOM, {BOB: Standing(Affiliation.MEMBER)})
    await rooms.set_subject(ROOM, Subject(b"<t/>", "t", "b", 9))
    await rooms.put_occupant(StoredOccupant(ROOM, f"{BOB}/x", "bob", Role.VISITOR, b""))
    await rooms.drop_occupants(ROOM, [f"{BOB}/x"])
    assert await rooms.find(ROOM) is None
    assert await rooms.occupants() == []
    with pytest.raises(NotFound) as refused:
        await rooms.append(ROOM, message(1))
    assert refused.value.code == "room-not-found"


async def test_lists_name_public_rooms_of_a_domain(storage: AnyStorage) -> None:
    rooms = storage.rooms
    for name in "abcd":
        await rooms.save(a_room(f"{name}@conference.example.org", config=replace(CONFIG, name=name.upper())))
    await rooms.save(a_room("hidden@conference.example.org", config=replace(CONFIG, is_public=False)))
    await rooms.save(a_room("locked@conference.example.org", is_locked=True))
    await rooms.save(a_room("a@conference.example.net", creator=BOB))
    domain = "conference.example.org"
    for before, limit, wanted in ((None, 2, "cd"), (f"c@{domain}", 1, "b"), (f"a@{domain}", 5, ""), (None, 0, "")):
        found = await rooms.listed_before(domain, before, limit)
        assert [one.address for one in found] == [f"{name}@{domain}" for name in wanted]
    page = await rooms.listed(domain, "", 2)
    assert [(room.address, room.name) for room in page] == [(f"a@{domain}", "A"), (f"b@{domain}", "B")]
    page = await rooms.listed(domain, page[-1].address, 10)
    assert [room.address for room in page] == [f"c@{domain}", f"d@{domain}"]
    assert page[0].is_persistent
    assert await rooms.count_listed(domain) == 4
    assert await rooms.count() == len(await rooms.all()) == 7
    assert (await rooms.count_created_by(ALICE), await rooms.count_created_by(BOB)) == (6, 1)


async def test_who_is_inside_is_remembered_in_the_order_of_speaking(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.save(a_room())
    first = StoredOccupant(ROOM, f"{ALICE}/1", "alice", Role.MODERATOR, b"<show/>")
    second = StoredOccupant(ROOM, f"{ALICE}/2", "alice", Role.MODERATOR, b"")
    third = StoredOccupant(ROOM, f"{BOB}/1", "bob", Role.PARTICIPANT, b"")
    for one in (first, second, third, first):
        await rooms.put_occupant(one)
    assert await rooms.occupants() == [second, third, first]
    await rooms.drop_occupants(ROOM, [f"{BOB}/1", f"{ALICE}/2", "nobody@example.org/x"])
    assert await rooms.occupants() == [first]
    # To save a room says nothing about who is inside.
    await rooms.save(a_room())
    assert await rooms.occupants() == [first]
    await rooms.delete(ROOM)
    assert await rooms.occupants() == []


async def test_a_person_who_goes_is_forgotten_everywhere(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.save(a_room())
    await rooms.save(a_room(OTHER, standings={ALICE: Standing(Affiliation.OWNER)}))
    assert await rooms.forget_person(BOB) == [ROOM]
    found = await rooms.find(ROOM)
    assert found is not None
    assert found.standings == {ALICE: Standing(Affiliation.OWNER)}
    assert await rooms.forget_person(BOB) == []


async def test_voices_last_until_they_are_forgotten_or_their_people_are(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.set_voices(ROOM, {BOB: Role.VISITOR})
    await rooms.save(a_room())
    assert (await rooms.find(ROOM)) == a_room()
    await rooms.set_voices(ROOM, {BOB: Role.VISITOR, CAROL: Role.PARTICIPANT, ALICE: Role.VISITOR})
    await rooms.set_voices(ROOM, {BOB: Role.PARTICIPANT, ALICE: None})
    # What is saved otherwise of the room does not touch them.
    await rooms.save(a_room())
    found = await rooms.find(ROOM)
    assert found is not None
    assert found.voices == {BOB: Role.PARTICIPANT, CAROL: Role.PARTICIPANT}
    assert await rooms.forget_person(CAROL) == []
    found = await rooms.find(ROOM)
    assert found is not None
    assert found.voices == {BOB: Role.PARTICIPANT}
    await rooms.delete(ROOM)
    await rooms.save(a_room())
    assert (await rooms.find(ROOM)) == a_room()


async def test_a_message_sent_again_is_kept_once(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.save(a_room())
    await rooms.save(a_room(OTHER))
    assert await rooms.append(ROOM, message(1), b"k" * 16) is None
    assert await rooms.append(ROOM, message(2), b"k" * 16) == message(1).id
    assert await rooms.append(OTHER, message(3), b"k" * 16) is None
    page = await rooms.page(RoomArchiveQuery(ROOM))
    assert page.messages == (message(1),)


async def test_history_is_what_those_who_enter_are_shown(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.save(a_room())
    await rooms.save(a_room(OTHER))
    for number in range(1, 6):
        await rooms.append(ROOM, message(number, in_history=number != 4))
    await rooms.append(OTHER, message(9))
    assert await rooms.history(ROOM, 3) == [message(2), message(3), message(5)]
    assert await rooms.history(ROOM, 0) == []
    assert await rooms.replace(ROOM, message(5).id, b"<tombstone/>")
    assert not await rooms.replace(OTHER, message(3).id, b"<tombstone/>")
    assert not await rooms.replace(ROOM, "nonsense", b"<tombstone/>")
    assert await rooms.history(ROOM, 2) == [message(2), message(3)]
    assert await rooms.message(ROOM, message(5).id) == replace(message(5), content=b"<tombstone/>", in_history=False)
    assert await rooms.message(OTHER, message(5).id) is None
    assert await rooms.bounds(ROOM) == (message(1), await rooms.message(ROOM, message(5).id))
    assert await rooms.bounds("nowhere@example.org") is None


async def test_of_a_long_archive_nothing_is_left_after_a_sweep(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.save(a_room())
    await rooms.save(a_room(OTHER))
    await rooms.put_occupant(StoredOccupant(ROOM, f"{BOB}/x", "bob", Role.VISITOR, b""))
    await rooms.append(OTHER, message(9999))
    for number in range(1, 1102):
        await rooms.append(ROOM, message(number))
    assert await rooms.delete(ROOM)
    assert await rooms.find(ROOM) is None
    assert (await rooms.count(), [room.address for room in await rooms.all()]) == (1, [OTHER])
    assert await rooms.count_created_by(ALICE) == 1
    assert await rooms.count_listed("conference.example.org") == 1
    assert await rooms.occupants() == []
    # Another one may have the name at once.
    await rooms.save(a_room())
    assert await rooms.bounds(ROOM) is None
    assert await rooms.append(ROOM, message(2000), b"k" * 16) is None
    await rooms.sweep()
    assert await rooms.sweep() == 0
    assert (await rooms.page(RoomArchiveQuery(ROOM))).messages == (message(2000),)
    assert (await rooms.page(RoomArchiveQuery(OTHER))).messages == (message(9999),)


async def test_old_messages_are_purged_in_all_rooms(storage: AnyStorage) -> None:
    rooms = storage.rooms
    await rooms.save(a_room())
    await rooms.save(a_room(OTHER))
    for number, room in enumerate((ROOM, OTHER, ROOM, OTHER), 1):
        await rooms.append(room, message(number, at=number * 10))
    assert await rooms.purge(25) == 2
    assert (await rooms.page(RoomArchiveQuery(ROOM))).messages == (message(3, at=30),)
    assert await rooms.purge(25) == 0


async def test_the_secret_stays_what_it_was_first(storage: AnyStorage) -> None:
    assert await storage.rooms.secret(b"a" * 32) == b"a" * 32
    assert await storage.rooms.secret(b"b" * 32) == b"a" * 32


NUMBERS = st.integers(1, 14)
EDGES = st.none() | NUMBERS.map(lambda number: message(number).id)
QUERIES = st.builds(
    RoomArchiveQuery,
    st.sampled_from([ROOM, OTHER]),
    nick=st.none() | st.sampled_from(["alice", "bob"]),
    start=st.none() | st.integers(0, 9),
    end=st.none() | st.integers(0, 9),
    after_id=EDGES,
    before_id=EDGES,
    newer_than=EDGES,
    older_than=EDGES,
    ids=st.lists(NUMBERS.map(lambda number: message(number).id), max_size=3).map(tuple),
    is_backward=st.booleans(),
    limit=st.integers(0, 4),
    counted=st.none() | st.integers(0, 5),
) | st.builds(
    # By number: the edge asks so for pages that nothing else narrows, and forward.
    RoomArchiveQuery,
    st.sampled_from([ROOM, OTHER]),
    nick=st.none() | st.sampled_from(["alice", "bob"]),
    start=st.none() | st.integers(0, 9),
    newer_than=EDGES,
    older_than=EDGES,
    ids=st.lists(NUMBERS.map(lambda number: message(number).id), max_size=3).map(tuple),
    index=st.integers(0, 5),
    limit=st.integers(0, 4),
    counted=st.none() | st.integers(0, 5),
)


class RoomArchives(StorageMachine):
    """SQLite answers every query as the memory does, whatever the order of the messages' times."""

    kind = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.model = MemoryRooms()
        for room in (ROOM, OTHER):
            self.run(self.model.save(a_room(room)))
            self.run(self.storage.rooms.save(a_room(room)))

    @rule(room=st.sampled_from([ROOM, OTHER]), nick=st.sampled_from(["alice", "bob"]), at=st.integers(0, 9))
    def append(self, room: str, nick: str, at: int) -> None:
        self.count += 1
        added = message(self.count, nick, at=at)
        self.run(self.model.append(room, added))
        self.run(self.storage.rooms.append(room, added))

    @rule(query=QUERIES)
    def page(self, query: RoomArchiveQuery) -> None:
        assert self._page(self.storage.rooms, query) == self._page(self.model, query)

    def _page(self, rooms: RoomStore, query: RoomArchiveQuery) -> RoomArchivePage | str:
        try:
            page = self.run(rooms.page(query))
        except NotFound as error:
            return error.code
        # Where an empty page would begin is anybody's guess when its edges lie in different orders.
        return page if page.messages else replace(page, index=None)

    @invariant()
    def bounds(self) -> None:
        assert self.run(self.storage.rooms.bounds(ROOM)) == self.run(self.model.bounds(ROOM))


TestRoomArchives = RoomArchives.TestCase
TestRoomArchives.settings = SQLITE
