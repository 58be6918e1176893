"""Server CPU for a roster of 1,000 contacts of whom 200 are there, beside Prosody and ejabberd.

One person fetches the roster; tells all contacts of a new status; and hears when all who are there change theirs.
The rosters were put into each server's own storage.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from tests.support.server import ParleyServer

from bench import peers
from bench.load import Client, all_signed_in, signed_in
from bench.measuring import against, cpu_ns, rounds_of
from bench.peers import Server
from bench.report import Result
from parley.base.clock import SystemClock
from parley.domain.contacts import Contact, RosterEdit
from parley.domain.subscriptions import SubscriptionState
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

ROUNDS = 5
CONTACTS = 1000
THERE = 200
FETCHES = 20
CHANGES = 20
SETTLE_S = 0.3
WHAT = {
    "fetch": f"server CPU per fetch of a roster of {CONTACTS}",
    "tell": f"server CPU per presence to a roster of {CONTACTS}, {THERE} of them there",
    "storm": f"server CPU per presence when {THERE} contacts change theirs at once",
}


class Roster:
    """A person with contacts; `kind` is what is measured."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.kind = ""
        self._number = 0

    async def prepare(self) -> None:
        """Contacts are there first."""
        people = self.server.people
        self._contacts = await all_signed_in(self.server.c2s_port, people[1 : THERE + 1])
        self._owner = await signed_in(self.server.c2s_port, people[0])
        # Its own presence and that of each contact, who see it come.
        await self._owner.came("presence", 1 + THERE)
        for contact in self._contacts:
            await contact.came("presence", 2)

    async def round(self) -> float:
        """CPU in µs per thing done."""
        work = {"fetch": self._fetch, "tell": self._tell, "storm": self._storm}[self.kind]
        before = cpu_ns(self.server.pid)
        count = await work()
        await asyncio.sleep(SETTLE_S)
        return (cpu_ns(self.server.pid) - before) / count / 1000

    async def _fetch(self) -> int:
        for _ in range(FETCHES):
            await self._owner.iq("get", "<query xmlns='jabber:iq:roster'/>")
        return FETCHES

    async def _tell(self) -> int:
        for _ in range(CHANGES):
            had = [contact.counts["presence"] for contact in self._contacts]
            self._change(self._owner)
            for contact, before in zip(self._contacts, had, strict=True):
                await contact.came("presence", before + 1)
        return CHANGES

    async def _storm(self) -> int:
        for _ in range(CHANGES // 4):
            before = self._owner.counts["presence"]
            for contact in self._contacts:
                self._change(contact)
            await self._owner.came("presence", before + THERE)
        return CHANGES // 4 * THERE

    def _change(self, client: Client) -> None:
        self._number += 1
        client.send(f"<presence><show>away</show><status>change {self._number}</status></presence>")


def fill_parley(server: ParleyServer) -> None:
    """Through its own storage."""
    asyncio.run(_put_contacts(server.data / "parley.db"))


async def _put_contacts(path: Path) -> None:
    both = SubscriptionState(to=True, from_=True)
    people = peers.people_of(CONTACTS + 1)
    owner = people[0].address
    async with SqliteStorage(path, SystemClock(), StorageOptions(is_checked=False)) as storage:
        ids = {}
        for person in people:
            account = await storage.accounts.find(person.address)
            assert account is not None
            ids[person.address] = account.id
        edits = [RosterEdit(ids[owner], each.address, Contact(each.address, state=both)) for each in people[1:]]
        edits += [RosterEdit(ids[each.address], owner, Contact(owner, state=both)) for each in people[1:]]
        await storage.rosters.edit(edits, CONTACTS)


def fill_prosody(folder: Path) -> None:
    """Its tables, as files."""
    rosters = folder / "data" / "localhost" / "roster"
    rosters.mkdir()
    people = peers.people_of(CONTACTS + 1)
    owner, *others = people
    _write_roster(rosters, owner.name, [each.address for each in others])
    for each in others:
        _write_roster(rosters, each.name, [owner.address])


def _write_roster(folder: Path, name: str, contacts: list[str]) -> None:
    table: dict[object, object] = {False: {"version": 1, "pending": {}}}
    table |= {contact: {"subscription": "both", "groups": {}} for contact in contacts}
    (folder / f"{name}.dat").write_text(f"return {peers.lua(table)};\n")


EJABBERD_ROSTERS = f"""
Put = fun(A, B) -> mnesia:dirty_write({{roster, {{A, <<"localhost">>, {{B, <<"localhost">>, <<>>}}}},
    {{A, <<"localhost">>}}, {{B, <<"localhost">>, <<>>}}, <<>>, both, none, [], <<>>, []}}) end.
Name = fun(N) -> <<"person", (integer_to_binary(N))/binary>> end.
[begin Put(Name(0), Name(N)), Put(Name(N), Name(0)) end || N <- lists:seq(1, {CONTACTS})].
"""


def bench() -> Result:
    """All rounds."""
    people = CONTACTS + 1
    found: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        trials = [Roster(stack.enter_context(peers.parley(people=people, fill=fill_parley)))]
        if peers.has_prosody():
            trials.append(Roster(stack.enter_context(peers.prosody(people=people, fill=fill_prosody))))
        if peers.has_ejabberd():
            trials.append(Roster(stack.enter_context(peers.ejabberd(people=people, script=EJABBERD_ROSTERS))))
        asyncio.run(_measure(trials, found))
    figures = []
    for kind, values in found.items():
        ours = values.pop("parley")
        figures.append(against(f"cpu-roster-{kind}", WHAT[kind], "µs", ours, values, Fraction(1, 2)))
    return Result("xmpp_roster", ROUNDS, figures)


async def _measure(trials: list[Roster], found: dict[str, dict[str, list[float]]]) -> None:
    for trial in trials:
        await trial.prepare()
    for kind in WHAT:
        for trial in trials:
            trial.kind = kind
        measured = await rounds_of(trials, ROUNDS)
        found[kind] = {trial.server.label: values for trial, values in zip(trials, measured, strict=True)}
