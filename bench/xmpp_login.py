"""Server CPU per log-in by SCRAM-SHA-256 with equal iterations, beside Prosody and ejabberd.

From the connection to a bound resource and the polite end of the stream, over plain TCP, several clients at a time. The
servers keep SCRAM's keys, so that none computes PBKDF2.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from fractions import Fraction

from bench import peers
from bench.load import Client
from bench.measuring import against, cpu_ns, interleaved
from bench.peers import Server
from bench.report import Result

ROUNDS = 5
PEOPLE = 20
LOG_INS_EACH = 10
SETTLE_S = 0.3


class LogIns:
    """People who come and go."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def prepare(self) -> None:
        """Once for each: devices are known afterwards, and the clients have computed their keys."""
        await self._all(1)

    async def round(self) -> float:
        """CPU in µs per log-in."""
        before = cpu_ns(self.server.pid)
        await self._all(LOG_INS_EACH)
        await asyncio.sleep(SETTLE_S)
        return (cpu_ns(self.server.pid) - before) / (PEOPLE * LOG_INS_EACH) / 1000

    async def _all(self, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(PEOPLE):
                group.create_task(self._one(number, count))

    async def _one(self, number: int, count: int) -> None:
        for _ in range(count):
            client = await Client(self.server.people[number]).connect(self.server.c2s_port)
            await client.log_in(resource="bench", mechanism="SCRAM-SHA-256")
            await client.close()


def bench() -> Result:
    """All rounds."""
    with ExitStack() as stack:
        trials = [LogIns(stack.enter_context(peers.parley(people=PEOPLE)))]
        if peers.has_prosody():
            trials.append(LogIns(stack.enter_context(peers.prosody(people=PEOPLE, is_hashed=True))))
        if peers.has_ejabberd():
            trials.append(LogIns(stack.enter_context(peers.ejabberd(people=PEOPLE, is_hashed=True))))
        measured = asyncio.run(interleaved(trials, ROUNDS))
    found = {trial.server.label: values for trial, values in zip(trials, measured, strict=True)}
    ours = found.pop("parley")
    what = f"server CPU per log-in, SCRAM-SHA-256 with {peers.ITERATIONS} iterations"
    return Result("xmpp_login", ROUNDS, [against("cpu-login", what, "µs", ours, found, Fraction(1, 2))])
