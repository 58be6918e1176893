"""Server CPU per routed message of 200 bytes, beside Prosody and ejabberd: without and with an archive, plain and TLS.

One sender and one recipient, both with stream management and carbons, and new ones in each round: what ejabberd takes
for a message grows with the archives that it goes into, so that it is spared long ones. "Without an archive" Parley is
measured twice: with messages that nobody is to store, which is what the peers do then with all messages, and with its
own promise that what it acknowledged is on the disk until it is delivered.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction

from tests.support.server import Person

from bench import peers
from bench.load import SM, signed_in
from bench.measuring import against, cpu_ns, interleaved
from bench.peers import Server
from bench.report import Figure, Result

ROUNDS = 5
MESSAGES = 1000
MESSAGES_TO_MNESIA = 200
WARM_UP = 100
REQUEST_EVERY = 20
STANZA_BYTES = 200
NO_STORE = "<no-store xmlns='urn:xmpp:hints'/>"
SETTLE_S = 0.2
KINDS = 3
"""Of trials that one server has for each of plain and TLS, at most."""
PEOPLE = KINDS * 2 * ROUNDS * 2


class Route:
    """Messages from one person to another.

    Args:
        people: a sender and a recipient for each round.
        hint: an element that goes into every message.
    """

    def __init__(
        self, server: Server, people: Iterator[Person], *, has_tls: bool, messages: int, hint: str = ""
    ) -> None:
        self.server = server
        self._people = people
        self._has_tls = has_tls
        self._messages = messages
        self._hint = hint
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        """Nothing: each round has its own clients."""

    async def round(self) -> float:
        """CPU in µs per message, what the server still does after the last one included."""
        port = self.server.tls_port if self._has_tls else self.server.c2s_port
        self._sender = await signed_in(port, next(self._people), has_tls=self._has_tls)
        self._recipient = await signed_in(port, next(self._people), has_tls=self._has_tls)
        await self._pass(WARM_UP)
        await asyncio.sleep(SETTLE_S)
        before = cpu_ns(self.server.pid)
        await self._pass(self._messages)
        await asyncio.sleep(SETTLE_S)
        used = cpu_ns(self.server.pid) - before
        await self._sender.close()
        await self._recipient.close()
        return used / self._messages / 1000

    async def _pass(self, count: int) -> None:
        expected = self._recipient.counts["message"] + count
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recipient.came("message", expected))
            group.create_task(self._send(count))

    async def _send(self, count: int) -> None:
        for sent in range(count):
            self._sender.send(message(self._recipient.jid, next(self._numbers), self._hint))
            if sent % REQUEST_EVERY == REQUEST_EVERY - 1:
                self._sender.send(f"<r xmlns='{SM}'/>")
                await self._sender.came("a", self._sender.counts["a"] + 1)


def message(to: str, number: int, hint: str = "", kind: str = "chat") -> str:
    """A message of `STANZA_BYTES`."""
    start = f"<message to='{to}' type='{kind}' id='m{number}'><body>"
    end = f"</body><origin-id xmlns='urn:xmpp:sid:0' id='o{number}'/>{hint}</message>"
    return start + "x" * max(1, STANZA_BYTES - len(start) - len(end)) + end


def servers(stack: ExitStack) -> Iterator[tuple[str, Server]]:
    """All that are measured, by whether they keep an archive."""
    yield "none", stack.enter_context(peers.parley({"archive": ["enabled = false"]}, people=PEOPLE))
    yield "archive", stack.enter_context(peers.parley(people=PEOPLE))
    if peers.has_prosody():
        yield "none", stack.enter_context(peers.prosody(people=PEOPLE))
        yield "archive", stack.enter_context(peers.prosody(people=PEOPLE, archive="internal"))
        yield "archive", stack.enter_context(peers.prosody(people=PEOPLE, archive="sql"))
    if peers.has_ejabberd():
        yield "none", stack.enter_context(peers.ejabberd(people=PEOPLE))
        yield "archive", stack.enter_context(peers.ejabberd(people=PEOPLE, has_archive=True))


def bench() -> Result:
    """All rounds."""
    kinds: list[str] = []
    trials: list[Route] = []
    with ExitStack() as stack:
        for kind, server in servers(stack):
            people = iter(server.people)
            is_mnesia = kind == "archive" and server.label.startswith("ejabberd")
            messages = MESSAGES_TO_MNESIA if is_mnesia else MESSAGES
            hints = {kind: ""} | ({"no-store": NO_STORE} if kind == "none" and server.label == "parley" else {})
            for has_tls, (name, hint) in itertools.product((False, True), hints.items()):
                kinds.append(f"{name} {has_tls}")
                trials.append(Route(server, people, has_tls=has_tls, messages=messages, hint=hint))
        measured = asyncio.run(interleaved(trials, ROUNDS))
    found: dict[str, dict[str, list[float]]] = {}
    for kind, trial, values in zip(kinds, trials, measured, strict=True):
        found.setdefault(kind, {})[trial.server.label] = values
    return Result("xmpp_route", ROUNDS, list(_figures(found)))


def _figures(found: dict[str, dict[str, list[float]]]) -> Iterator[Figure]:
    asked = {
        "no-store": ("none", "not to be stored, no archive", Fraction(1, 3)),
        "none": ("none", "no archive (Parley: on disk until delivered; peers: in memory)", Fraction(1, 3)),
        "archive": ("archive", "archived (Parley: synced before it is acknowledged)", Fraction(1, 6)),
    }
    for has_tls in (False, True):
        for ours, (theirs, what, ratio) in asked.items():
            over = ", over TLS" if has_tls else ""
            others = {name: each for name, each in found[f"{theirs} {has_tls}"].items() if name != "parley"}
            yield against(
                f"cpu-{'tls-' if has_tls else ''}{'no-archive' if ours == 'none' else ours}",
                f"server CPU per routed message, {what}{over}",
                "µs",
                found[f"{ours} {has_tls}"]["parley"],
                others,
                Fraction(1, 2) if has_tls else ratio,
                "each peer's",
            )
