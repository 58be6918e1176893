"""Carbons, archives, unread counts and a room agree for every device after any cut, restart and crash of the server.

A Hypothesis state machine drives six devices of three people (`agreement/device.py`) and a server that dies
(`agreement/world.py`), and compares what each device knows with what was said (`agreement/truth.py`,
`agreement/compare.py`). `make soak` runs it with random examples for as long as it is told to.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from .agreement.compare import check_occupants, compare, settle_all
from .agreement.device import Device
from .agreement.said import ROOM, Kind, Said
from .agreement.world import DEVICES, NAMELESS, RESUME_S, World

EXAMPLES = 30
STEPS = 40
MODEL = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, database=None, suppress_health_check=list(HealthCheck)
)
names = st.sampled_from(sorted(DEVICES))
people = st.sampled_from(("alice", "bob", "carol"))
parts = st.sampled_from((0.0, 0.5, 1.0))
newest = st.integers(0, 3)
NEXT = {"alice": "bob", "bob": "carol", "carol": "alice"}


class Agreement(RuleBasedStateMachine):
    """Drives a world; `counts` is of all examples together."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._is_whole = True
        self.world: World | None = None

    @initialize(journal_size=st.sampled_from((3, 1000)))
    def begin(self, journal_size: int) -> None:
        self.world = World(self.counts, journal_size)
        self.run("examples", self.world.begin())

    def teardown(self) -> None:
        try:
            if self.world is not None and self._is_whole:
                self.settle_and_compare()
        finally:
            if self.world is not None:
                self._runner.run(self.world.end())
            self._runner.close()

    def run(self, step: str, work: Coroutine[Any, Any, None]) -> None:
        """Take a step. When one has failed there is nothing to compare at the end."""
        self.counts["steps"] += 1
        self.counts[step] += 1
        self._is_whole = False
        self._runner.run(work)
        self._is_whole = True

    @property
    def here(self) -> World:
        assert self.world is not None
        return self.world

    def device(self, name: str) -> Device:
        return self.here.devices[name]

    def one(self, name: str, *, is_connected: bool) -> str:
        """The device of that name, or the next one that is connected, or is not; "" for none."""
        every = sorted(DEVICES)
        turned = every[every.index(name) :] + every[: every.index(name)]
        return next((each for each in turned if self.device(each).is_connected is is_connected), "")

    @invariant()
    def the_room_holds_who_is_inside(self) -> None:
        if self.world is not None:
            check_occupants(self.world)

    # What devices say.

    def say(self, step: str, by: str, kind: Kind, to: str = "", target: str = "", **more: Any) -> None:
        # How far mailboxes are delivered is written with the next message.
        self.here.sync()
        self.run(step, self.device(by).say(self.here.edge, self.said(by, kind, to, target, **more)))

    def said(self, by: str, kind: Kind, to: str = "", target: str = "", **more: Any) -> Said:
        if kind in (Kind.CHAT, Kind.PRIVATE) and to.partition("/")[0] == by.partition("/")[0]:
            to = NEXT[by.partition("/")[0]]
        return Said(self.here.token(), by, kind, to, target, is_named=by != NAMELESS, **more)

    @rule(by=names, to=st.one_of(people, names), another=st.booleans())
    def send(self, by: str, to: str, another: bool) -> None:
        for _ in range(1 + another):
            self.say("messages", by, Kind.CHAT, to)

    @rule(by=names, to=people)
    def send_back_and_forth(self, by: str, to: str) -> None:
        self.say("messages", by, Kind.CHAT, to)
        answering = next(name for name in sorted(DEVICES) if name.partition("/")[0] != by.partition("/")[0])
        self.say("messages", answering, Kind.CHAT, by)

    @rule(by=names, others=st.lists(names, max_size=2))
    def send_to_the_room(self, by: str, others: list[str]) -> None:
        for name in (by, *others):
            if self.device(name).wants_room:
                self.say("room messages", name, Kind.ROOM)

    @rule(by=names, to=people)
    def send_in_private(self, by: str, to: str) -> None:
        if self.device(by).wants_room:
            self.say("private messages", by, Kind.PRIVATE, to)

    @rule(by=names, back=newest, whom=st.sampled_from(("author", "own devices", "both")))
    def display(self, by: str, back: int, whom: str) -> None:
        """Say of a message of somebody else that it was seen: to its author, to one's own devices, or both in one."""
        device, truth = self.device(by), self.here.truth
        known = [truth.said[token] for token in truth.archives[device.user] if token in device.mail.ids]
        known = [said for said in known if said.author != device.user and said.kind.has_words]
        if known:
            seen = known[-1 - back % len(known)]
            seen_id = "" if whom == "author" else device.mail.ids[seen.token]
            kind = Kind.SYNC if whom == "own devices" else Kind.MARKER
            self.say(f"displayed to {whom}", by, kind, seen.author, seen.token, target_id=seen_id)

    @rule(by=names, back=newest, is_correction=st.booleans(), has_fallback=st.booleans())
    def retract_or_correct(self, by: str, back: int, is_correction: bool, has_fallback: bool) -> None:
        own = [said for said in self.own(by) if said.kind is Kind.CHAT]
        if own:
            first = own[-1 - back % len(own)]
            kind, step = (Kind.CORRECTION, "corrections") if is_correction else (Kind.RETRACTION, "retractions")
            self.say(step, by, kind, first.recipient, first.token, has_fallback=has_fallback)

    @rule(by=names, back=newest)
    def retract_in_the_room(self, by: str, back: int) -> None:
        device = self.device(by)
        own = [said for said in self.own(by) if said.kind is Kind.ROOM and said.token in device.room.ids]
        if own and device.wants_room:
            first = own[-1 - back % len(own)]
            first_id = device.room.ids[first.token]
            self.say("room retractions", by, Kind.ROOM_RETRACTION, "", first.token, target_id=first_id)

    def own(self, by: str) -> list[Said]:
        """What the person behind a device said."""
        return [said for said in self.here.truth.said.values() if said.author == by.partition("/")[0]]

    # What happens to devices.

    @rule(name=names, read=parts)
    def cut(self, name: str, read: float) -> None:
        if name := self.one(name, is_connected=True):
            self.run("cuts", self.here.cut(name, read))

    @rule(name=names, to=people, read=parts)
    def cut_with_a_message_on_the_way(self, name: str, to: str, read: float) -> None:
        if name := self.one(name, is_connected=True):
            self.run("cuts that lost a message", self.here.cut(name, read))
            self.say("messages", name, Kind.CHAT, to)

    @rule(name=names, waited_s=st.sampled_from((0, 0, RESUME_S / 2 + 1, RESUME_S + 1)), is_back=st.booleans())
    def come_back(self, name: str, waited_s: float, is_back: bool) -> None:
        """After a while, which for some sessions is too long."""
        if waited_s:
            self.run("waits", self.here.wait(waited_s))
        if is_back and (name := self.one(name, is_connected=False)):
            self.run("returns", self.here.come_back(name))

    @rule(name=names, how=st.sampled_from(("farewell", "step by step", "in haste")))
    def give_up_the_session(self, name: str, how: str) -> None:
        if how != "farewell":
            self.run("new sessions", self.here.new_session(name, is_hasty=how == "in haste"))
        elif name := self.one(name, is_connected=True):
            self.run("farewells", self.here.leave(name))

    @rule(name=names, is_room=st.booleans())
    def come_and_go(self, name: str, is_room: bool) -> None:
        """Be available or not, or enter the room or leave it."""
        if name := self.one(name, is_connected=True):
            place, world = self.here.truth.places[name], self.here
            if is_room and place.is_available:
                self.run("entering and leaving", world.exit(name) if place.is_inside else world.enter(name))
            else:
                self.run("presence", world.rest(name) if place.is_available else world.rouse(name))

    @rule(name=names, what=st.sampled_from(("look", "look", "acknowledge", "acknowledge", "catch up", "compare")))
    def take(self, name: str, what: str) -> None:
        if what == "compare":
            self.settle_and_compare()
        elif name := self.one(name, is_connected=True):
            device = self.device(name)
            if what == "look":
                self.run("looks", self.here.look())
            elif what == "acknowledge":
                self.run("acknowledgements", device.acknowledge(self.here.edge))
            else:
                self.run("archives asked", device.catch_up(self.here.edge))

    # What happens to the server.

    @rule(is_read=st.booleans(), is_killed=st.booleans())
    def restart(self, is_read: bool, is_killed: bool) -> None:
        if is_killed:
            self.run("kills", self.here.kill([], is_committed=False, writes=None, is_read=is_read))
        else:
            self.run("restarts", self.here.restart(is_read=is_read))

    @rule(
        name=names,
        kinds=st.lists(st.sampled_from((Kind.CHAT, Kind.ROOM, Kind.PRIVATE)), min_size=1, max_size=3),
        to=st.one_of(people, names),
        writes=st.sampled_from((-1, 0, 1, 2, None)),
        is_read=st.booleans(),
    )
    def kill_while_it_speaks(self, name: str, kinds: list[Kind], to: str, writes: int | None, is_read: bool) -> None:
        """The server dies before the log has anything, with one of the next writes to the journal, or behind it all."""
        if name := self.one(name, is_connected=True):
            kinds = [kind for kind in kinds if kind is Kind.CHAT or self.device(name).wants_room]
            saids = [self.said(name, kind, to.partition("/")[0] if kind is Kind.PRIVATE else to) for kind in kinds]
            where = {-1: "before the commit", None: "behind the journal"}.get(writes, f"at write {writes}")
            is_committed = writes != -1
            writes = None if writes == -1 else writes
            self.run(f"kills {where}", self.here.kill(saids, is_committed=is_committed, writes=writes, is_read=is_read))

    def settle_and_compare(self) -> None:
        self.run("settled", settle_all(self.here))
        self.run("compared", compare(self.here))


# What the machine meets by chance, one after the other.


def test_all_devices_agree_wherever_the_server_dies() -> None:
    asyncio.run(_die_everywhere())


async def _die_everywhere() -> None:
    """Everything that is said, at every point of a crash, to people whom the server knows already or not yet."""
    world = World(Counter(), 1000)
    await world.begin()
    spoken = [(Kind.CHAT, "bob"), (Kind.CHAT, "bob/desk"), (Kind.ROOM, ""), (Kind.PRIVATE, "bob")]
    for by, (kind, to), is_known in itertools.product(("alice/phone", NAMELESS), spoken, (False, True)):
        for is_committed, writes in ((False, None), (True, 0), (True, 1), (True, None)):
            said, before = (Said(world.token(), by, kind, to, is_named=by != NAMELESS) for _ in range(2))
            if is_known:
                await world.devices[by].say(world.edge, before)
            await world.kill([said], is_committed=is_committed, writes=writes, is_read=True)
            await settle_all(world)
        await compare(world)
    for first in [said for said in world.truth.said.values() if said.kind is Kind.ROOM]:
        first_id = world.devices[first.by].room.ids[first.token]
        await _tear(world, Said(world.token(), first.by, Kind.ROOM_RETRACTION, "", first.token, first_id))
    subject = Said(world.token(), "alice/phone", Kind.SUBJECT)
    await _tear(world, subject)
    await compare(world)
    state = await world.storage.rooms.find(ROOM)
    assert state is not None
    assert state.subject.text == subject.token
    await world.end()


async def _tear(world: World, said: Said) -> None:
    """Die when something is in the room's archive and what it changes is not written."""
    await world.kill([said], is_committed=True, writes=None, is_read=True, is_torn=True)
    await settle_all(world)


def test_all_devices_agree_on_what_was_seen() -> None:
    asyncio.run(_see())


async def _see() -> None:
    world = World(Counter(), 1000)
    await world.begin()
    desk = world.devices["alice/desk"]
    for kind, is_told in ((Kind.MARKER, False), (Kind.SYNC, True), (Kind.MARKER, True), (Kind.CHAT, False)):
        saids = [Said(world.token(), "bob/phone", Kind.CHAT, "alice") for _ in range(3)]
        for said in saids:
            await world.devices["bob/phone"].say(world.edge, said)
        await world.look()
        seen_id = desk.mail.ids[saids[1].token] if is_told else ""
        await desk.say(world.edge, Said(world.token(), desk.name, kind, "bob", saids[1].token, seen_id))
        assert world.truth.unread("alice") == {"bob": 0 if kind is Kind.CHAT else 1}
        await settle_all(world)
        await compare(world)
    await world.end()


def test_what_a_lost_session_had_not_is_had_by_others() -> None:
    asyncio.run(_lose())


async def _lose() -> None:
    world = World(Counter(), 1000)
    await world.begin()
    ends = ("too late", "anew", "in haste")
    for name, to, how in itertools.product(("bob/phone", "bob/desk"), ("bob", "bob/phone", "bob/desk"), ends):
        for token in (world.token(), world.token()):
            await world.devices["alice/phone"].say(world.edge, Said(token, "alice/phone", Kind.CHAT, to))
        await world.cut(name, 0.0)
        if how == "too late":
            await world.wait(RESUME_S + 1)
        else:
            await world.new_session(name, is_hasty=how == "in haste")
        check_occupants(world)
        await settle_all(world)
        await compare(world)
    await world.end()


def shown(counts: Counter[str]) -> str:
    """The figures, and how many faults there were among the steps."""
    faults = sum(count for step, count in counts.items() if step.startswith(("cuts", "kills", "restarts", "expired")))
    lines = [f"  {count:>9,}  {what}" for what, count in counts.most_common()]
    return "\n".join(["", f"The model of devices: {counts['steps']:,} steps, {faults:,} faults", *lines])


def test_all_devices_agree_after_any_cut() -> None:
    Agreement.counts.clear()
    run_state_machine_as_test(Agreement, settings=settings(MODEL, derandomize=True))
    print(shown(Agreement.counts))
    assert Agreement.counts["compared"] >= EXAMPLES


@pytest.mark.soak
def test_all_devices_agree_for_as_long_as_it_runs() -> None:
    Agreement.counts.clear()
    ends_at = time.monotonic() + 60 * float(os.environ.get("PARLEY_SOAK_MINUTES", "1"))
    while time.monotonic() < ends_at:
        run_state_machine_as_test(Agreement, settings=MODEL)
    print(shown(Agreement.counts))
