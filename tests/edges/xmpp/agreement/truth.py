"""The model: what was said, in the order in which the server heard it, and who is to know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .said import Kind, Said


@dataclass(slots=True)
class Place:
    """What the server is to know of a device, and what it owes it.

    Attributes:
        is_bound: it has a session, connected or waiting to be resumed.
        is_available: it takes messages for its account.
        is_inside: it is in the room.
        cut_at: since when its connection is lost, None while it has one.
        owed: what must come over its session: tokens of people's messages, in order.
        owed_room, owed_private: the same of the room and of its people.
        excused: what may come again, for another device was gone before it said that it had it.
    """

    has_carbons: bool
    is_bound: bool = False
    is_available: bool = False
    is_inside: bool = False
    cut_at: float | None = None
    owed: list[str] = field(default_factory=list)
    owed_room: list[str] = field(default_factory=list)
    owed_private: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)


class Truth:
    """See the module. People are named without their domain, devices as `alice/phone`."""

    def __init__(self, devices: dict[str, bool]) -> None:
        self.places = {name: Place(has_carbons) for name, has_carbons in devices.items()}
        self.people = sorted({name.partition("/")[0] for name in devices})
        self.said: dict[str, Said] = {}
        """All messages that were committed, by token."""
        self.archives: dict[str, list[str]] = {name: [] for name in self.people}
        self.room: list[str] = []
        self.retracted: set[str] = set()
        self._marked: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        self._synced: dict[tuple[str, str], str] = {}

    def devices(self, person: str) -> list[str]:
        return [name for name in self.places if name.partition("/")[0] == person]

    # What the server hears.

    def hear(self, said: Said) -> None:
        """The server takes a stanza: for good if it is a message that it has not yet."""
        if said.kind is Kind.SYNC or (said.kind is Kind.MARKER and said.target_id):
            # Each time: of two devices, the one that spoke last is believed.
            self._synced[said.author, said.to] = said.target
        if said.token in self.said or said.kind is Kind.SYNC:
            return
        if said.kind.is_of_people:
            self._to_person(said)
        elif self.places[said.by].is_inside:
            if said.kind is Kind.PRIVATE:
                self._private(said)
            else:
                self._to_room(said)

    def _to_person(self, said: Said) -> None:
        author, recipient = said.author, said.recipient
        self.said[said.token] = said
        if said.kind is Kind.MARKER:
            place = self.archives[author].index(said.target)
            self._marked[author, recipient] = max(place, self._marked[author, recipient])
        elif said.kind is Kind.RETRACTION:
            self.retracted.add(said.target)
        for person in {author, recipient}:
            self.archives[person].append(said.token)
        for name in self._recipients(said):
            self.places[name].owed.append(said.token)

    def _recipients(self, said: Said) -> Iterable[str]:
        """The devices that must get it over their sessions."""
        places = self.places
        exact = said.to if said.to in places and places[said.to].is_bound else ""
        for name in self.devices(said.recipient):
            place = places[name]
            is_target = name == exact if exact else place.is_available
            if place.is_bound and (is_target or place.has_carbons):
                yield name
        for name in self.devices(said.author):
            if name != said.by and places[name].is_bound and places[name].has_carbons:
                yield name

    def _to_room(self, said: Said) -> None:
        self.said[said.token] = said
        self.room.append(said.token)
        if said.kind is Kind.ROOM_RETRACTION:
            self.retracted.add(said.target)
        for place in self.places.values():
            if place.is_inside:
                place.owed_room.append(said.token)

    def _private(self, said: Said) -> None:
        inside = [name for name in self.devices(said.to) if self.places[name].is_inside]
        if inside:
            own = [name for name in self.devices(said.author) if name != said.by and self.places[name].is_inside]
            for name in (*inside, *(name for name in own if self.places[name].has_carbons)):
                self.places[name].owed_private.append(said.token)

    # What becomes of devices.

    def began(self, name: str) -> None:
        """A device has a new session, and is available."""
        place = self.places[name]
        place.is_bound = place.is_available = True
        place.cut_at = None

    def ended(self, name: str) -> None:
        """A session is over for good: what was on its way there goes to the others again."""
        place = self.places[name]
        place.is_bound = place.is_available = place.is_inside = False
        place.cut_at = None
        for owed in (place.owed, place.owed_room, place.owed_private, place.excused):
            owed.clear()
        self.excuse(name)

    def excuse(self, name: str) -> None:
        """A device takes no more mail, or takes it again: what another one had as a copy may come once more."""
        person = name.partition("/")[0]
        for other in self.devices(person):
            self.places[other].excused.update(self.archives[person])

    def entered(self, name: str) -> None:
        self.places[name].is_inside = True

    def left(self, name: str) -> None:
        place = self.places[name]
        place.is_inside = False
        place.owed_room.clear()
        place.owed_private.clear()

    def inside(self) -> set[str]:
        return {name for name, place in self.places.items() if place.is_inside}

    # What is asked.

    def conversation(self, person: str, peer: str) -> list[str]:
        said = self.said
        return [token for token in self.archives[person] if peer in (said[token].author, said[token].recipient)]

    def unread(self, person: str) -> dict[str, int]:
        """For each peer that said something or was told something, what is unread of it."""
        archive, counts = self.archives[person], {}
        for peer in self.people:
            words = [token for token in self.conversation(person, peer) if self.said[token].kind.has_words]
            if peer == person or not words:
                continue
            synced = self._synced.get((person, peer), "")
            own = [archive.index(token) for token in words if self.said[token].author == person]
            seen = max(self._marked[person, peer], archive.index(synced) if synced else -1, *own, -1)
            counts[peer] = sum(archive.index(token) > seen for token in words)
        return counts
