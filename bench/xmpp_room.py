"""Server CPU per message to a room of 500, beside Prosody and ejabberd.

Every occupant is an account with one session, and has stream management. All keep the room's archive.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import ExitStack
from fractions import Fraction

from bench import peers
from bench.load import Client, all_signed_in
from bench.measuring import against, cpu_ns, interleaved
from bench.peers import Server
from bench.report import Result
from bench.xmpp_route import message

ROUNDS = 5
OCCUPANTS = 500
MESSAGES = 10
AT_ONCE = 25
SETTLE_S = 0.3
ROOM = "bench@conference.localhost"
ENTER = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
OPEN = (
    "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
    "<field var='muc#roomconfig_presencebroadcast'><value>moderator</value></field></x></query>"
)
"""A quarter of a million presences of people who enter would take longer than all else."""


class Room:
    """A room in which one person talks."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        """All enter."""
        self._clients = await all_signed_in(self.server.c2s_port, self.server.people)
        await self._enter(self._clients[0], 0)
        await self._clients[0].iq("set", OPEN, ROOM)
        for start in range(1, OCCUPANTS, AT_ONCE):
            some = range(start, min(start + AT_ONCE, OCCUPANTS))
            await asyncio.gather(*(self._enter(self._clients[number], number) for number in some))
        await self._say(2)

    async def round(self) -> float:
        """CPU in ms per message."""
        before = cpu_ns(self.server.pid)
        await self._say(MESSAGES)
        await asyncio.sleep(SETTLE_S)
        return (cpu_ns(self.server.pid) - before) / MESSAGES / 1e6

    async def _enter(self, client: Client, number: int) -> None:
        client.send(f"<presence to='{ROOM}/nick{number}'>{ENTER}</presence>")
        await client.came("message", 1)  # the subject comes last

    async def _say(self, count: int) -> None:
        """Each message is said when the one before has come back; then all have all."""
        speaker = self._clients[0]
        before = [client.counts["message"] for client in self._clients]
        for number in range(count):
            speaker.send(message(ROOM, next(self._numbers), kind="groupchat"))
            await speaker.came("message", before[0] + number + 1)
        for client, had in zip(self._clients, before, strict=True):
            await client.came("message", had + count)


def bench() -> Result:
    """All rounds."""
    with ExitStack() as stack:
        trials = [Room(stack.enter_context(peers.parley(people=OCCUPANTS)))]
        if peers.has_prosody():
            trials.append(Room(stack.enter_context(peers.prosody(people=OCCUPANTS, archive="sql"))))
        if peers.has_ejabberd():
            trials.append(Room(stack.enter_context(peers.ejabberd(people=OCCUPANTS, has_archive=True))))
        measured = asyncio.run(interleaved(trials, ROUNDS))
    found = {trial.server.label: values for trial, values in zip(trials, measured, strict=True)}
    ours = found.pop("parley")
    what = f"server CPU per message to a room of {OCCUPANTS}"
    return Result("xmpp_room", ROUNDS, [against("cpu-room", what, "ms", ours, found, Fraction(1, 2))])
