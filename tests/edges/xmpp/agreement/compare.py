"""What every device knows, the archives, the inboxes and the room, against the model."""

from __future__ import annotations

from ..harness import address
from .device import Device, is_tombstone, repeated, token_of
from .said import ROOM
from .world import World

_ROUNDS = 2


async def settle_all(world: World) -> None:
    """All devices come back, take what waits for them and acknowledge it."""
    for name, device in world.devices.items():
        if not device.is_connected:
            await world.come_back(name)
    for _ in range(_ROUNDS):
        for device in world.devices.values():
            await device.acknowledge(world.edge)


async def compare(world: World) -> None:
    """Raises AssertionError where anything differs; all devices are settled."""
    for name, device in world.devices.items():
        assert device.unacked == [], f"{name} waits for acknowledgements"
        # Only words in the room are refused, of who is not inside (any more) or for nobody.
        assert not any("internal-server-error" in error for error in device.errors), device.errors
        assert device.own.isdisjoint(device.refused), device.errors
        _check_session(world, device)
    _check_somebody_had_it(world)
    _check_room(world)
    ids: dict[str, str] = {}
    for device in world.devices.values():
        if not world.truth.places[device.name].is_available:
            await world.rouse(device.name)
        await device.catch_up(world.edge)
        _check_view(world, device)
        for token, stanza_id in (device.mail.ids | device.room.ids).items():
            assert ids.setdefault(token, stanza_id) == stanza_id, f"{token} has two ids"
        assert await device.unread(world.edge) == world.truth.unread(device.user), f"unread for {device.name}"
        world.counts["inboxes compared"] += 1
    for person in world.truth.people:
        await _check_archives(world, world.devices[f"{person}/phone"], ids)
    world.counts["comparisons"] += 1


def _check_session(world: World, device: Device) -> None:
    """What came over the present session is what was owed to it, each thing once, in order."""
    place = world.truth.places[device.name]
    excused = place.excused | {token for token in device.room.live if world.truth.said[token].by == device.name}
    for owed, came in (
        (place.owed, device.mail.live),
        (place.owed_room, device.room.live),
        (place.owed_private, device.private),
    ):
        lost = [token for token in owed if token not in came]
        assert not lost, f"{device.name} lost {_told(world, lost)}"
        doubled = [token for token in repeated(came) if token not in excused]
        assert not doubled, f"{device.name} has twice {_told(world, doubled)}"
        for part in _conversations(world, device, owed):
            of_part = set(part)
            order = list(dict.fromkeys(token for token in came if token in of_part))
            assert order == part, f"{device.name} has {order}, not {part}"
        world.counts["deliveries compared"] += len(owed)


def _conversations(world: World, device: Device, tokens: list[str]) -> list[list[str]]:
    """The tokens of each conversation; those of a room, and those that were for one alone, are one each."""
    parts: dict[str, list[str]] = {}
    for token in tokens:
        said = world.truth.said.get(token)
        is_own = said is not None and said.author == device.user
        peer = "" if said is None or said.kind.is_of_room else said.recipient if is_own else said.author
        parts.setdefault(peer, []).append(token)
    return list(parts.values())


def _told(world: World, tokens: list[str]) -> list[object]:
    return [world.truth.said.get(token, token) for token in tokens]


def _check_somebody_had_it(world: World) -> None:
    """What was for a person came to one of their devices over a stream: nobody need ask an archive for it."""
    truth = world.truth
    for person in truth.people:
        if not any(truth.places[name].is_available for name in truth.devices(person)):
            continue
        came = set().union(*(world.devices[name].ever for name in truth.devices(person)))
        lost = [t for t in truth.archives[person] if truth.said[t].author != person and t not in came]
        assert not lost, f"none of {person}'s devices has {_told(world, lost)}"


def check_occupants(world: World) -> None:
    """Who is in the room is who is to be: no ghosts, and nobody was put out."""
    inside = world.truth.inside()
    assert world.occupants() == inside, f"in the room are {world.occupants()}, not {inside}"


def _check_room(world: World) -> None:
    """Who is in the room is who is to be, also to everybody inside."""
    check_occupants(world)
    inside = world.truth.inside()
    nicks = {name.partition("/")[0] for name in inside}
    for name in inside:
        assert world.devices[name].nicks == nicks, f"{name} sees {world.devices[name].nicks}, not {nicks}"


def _check_view(world: World, device: Device) -> None:
    """What came live and what it asked for behind the last message that it knew is all there is."""
    truth = world.truth
    _same(f"{device.name}'s view", set(device.mail.ids) | device.own, set(truth.archives[device.user]))
    _same(f"{device.name}'s room", set(device.room.ids), set(truth.room))


def _same(name: str, known: set[str], expected: set[str]) -> None:
    assert known == expected, f"{name}: missing {expected - known}, not said {known - expected}"


async def _check_archives(world: World, device: Device, ids: dict[str, str]) -> None:
    """The whole archives, page by page."""
    for to, expected in (("", world.truth.archives[device.user]), (ROOM, world.truth.room)):
        found = await device.pages(world.edge, to, size=7)
        tokens = [token_of(message) for _, message in found]
        assert tokens == expected, f"archive {to or address(device.user)}: {tokens}, not {expected}"
        for stanza_id, message in found:
            token = token_of(message)
            assert ids.get(token, stanza_id) == stanza_id
            assert is_tombstone(message) is (token in world.truth.retracted), f"{token} was retracted?"
        world.counts["archived messages compared"] += len(found)
