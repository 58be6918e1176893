"""Latency of messages at half of the load where a peer saturates, archived, beside Prosody and ejabberd.

Each peer is first sent as much as it takes; half of that rate is then sent to it and to Parley in turn. A message
counts from the moment at which it was due, so that a sender that is late hides nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction

from tests.support.server import Person

from bench import peers
from bench.load import SM, signed_in
from bench.measuring import against, own_core
from bench.peers import Server
from bench.report import Figure, Result
from bench.xmpp_route import message

ROUNDS = 3
SATURATING = 300
DURATION_S = 3.0
REQUEST_EVERY = 20
WINDOW = 40
TICK_S = 0.001


class Talk:
    """Messages from one person to another, new ones in each round: archives grow long in none."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._people = iter(server.people)

    async def saturation(self) -> float:
        """Messages per second that come through when some are always on their way."""
        await self._start()
        began = time.perf_counter()
        for number in range(SATURATING):
            self._sender.send(message(self._recipient.jid, number))
            await self._recipient.came("message", number + 1 - WINDOW)
        await self._recipient.came("message", SATURATING)
        rate = SATURATING / (time.perf_counter() - began)
        await self._end()
        return rate

    async def p99_ms(self, rate: float) -> float:
        """The 99th percentile of the time from when a message was due until it came, at so many per second."""
        await self._start()
        due: deque[float] = deque()
        found: list[float] = []
        self._recipient.on_message = lambda: found.append((time.perf_counter() - due.popleft()) * 1000)
        began = time.perf_counter()
        for number in range(round(rate * DURATION_S)):
            at = began + number / rate
            while (left := at - time.perf_counter()) > 0:
                await asyncio.sleep(min(left, TICK_S))
            due.append(at)
            self._sender.send(message(self._recipient.jid, number))
            if number % REQUEST_EVERY == REQUEST_EVERY - 1:
                self._sender.send(f"<r xmlns='{SM}'/>")
                await asyncio.sleep(0)
        await self._recipient.came("message", round(rate * DURATION_S))
        await self._end()
        found.sort()
        return found[len(found) * 99 // 100]

    async def _start(self) -> None:
        people: Iterator[Person] = itertools.islice(self._people, 2)
        self._sender, self._recipient = [await signed_in(self.server.c2s_port, person) for person in people]
        self._recipient.counts["message"] = 0

    async def _end(self) -> None:
        await self._sender.close()
        await self._recipient.close()


def _peers(people: int) -> list[AbstractContextManager[Server, bool | None]]:
    found: list[AbstractContextManager[Server, bool | None]] = []
    if peers.has_prosody():
        found.append(peers.prosody(people=people, archive="internal"))
        found.append(peers.prosody(people=people, archive="sql"))
    if peers.has_ejabberd():
        found.append(peers.ejabberd(people=people, has_archive=True))
    return found


async def _measure(ours: Talk, theirs: list[Talk]) -> list[Figure]:
    figures = []
    for peer in theirs:
        with own_core(peer.server.pid):
            rate = await peer.saturation() / 2
        found: dict[str, list[float]] = {"parley": [], peer.server.label: []}
        for _ in range(ROUNDS):
            for talk in (ours, peer):
                with own_core(talk.server.pid):
                    found[talk.server.label].append(await talk.p99_ms(rate))
        program, _version, *kind = peer.server.label.lower().split()
        name = "-".join([program, *kind])
        what = f"p99 latency at {rate:.0f} messages/s, half of what {peer.server.label} takes, archived"
        mine = found.pop("parley")
        figures.append(against(f"latency-p99-{name}", what, "ms", mine, found, Fraction(1), "the peer's"))
    return figures


def bench() -> Result:
    """All peers in turn."""
    with ExitStack() as stack:
        theirs = [Talk(stack.enter_context(opening)) for opening in _peers(2 * (ROUNDS + 1))]
        ours = Talk(stack.enter_context(peers.parley(people=2 * ROUNDS * max(len(theirs), 1))))
        figures = asyncio.run(_measure(ours, theirs))
    return Result("xmpp_latency", ROUNDS, figures)
