"""Server CPU per routed message of 200 bytes, and memory per idle session, beside Prosody.

One sender and one recipient over plain TCP, both with stream management and carbons; rounds alternate between the
servers. Server and load run on cores of their own where there are two.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.raw_client import SM, RawClient
from tests.support.server import ParleyServer, Person, rss_kib

from bench.report import Figure, Result
from bench.xmpp_prosody import Prosody

ROUNDS = 5
MESSAGES = 2000
IDLE_SESSIONS = 1000
RESOURCES = 20
REQUEST_EVERY = 20
STANZA_BYTES = 200
GOAL = "below the peer's"
NO_STORE = "<no-store xmlns='urn:xmpp:hints'/>"
LIMITS = [
    *("bytes_per_s = 1000000000", "burst_bytes = 1000000000", "sm_max_unacked = 100000"),
    *("max_resources_per_account = 100", "max_connections_per_address = 5000"),
]


class Side:
    """A server with a sender and a recipient signed in.

    Args:
        pid: of the server.
        port: where it listens for plain streams.
        people: sender and recipient.
        hint: an element that goes into every message.
    """

    def __init__(self, pid: int, port: int, people: list[Person], hint: str = "") -> None:
        self.pid = pid
        self.cpu_us: list[float] = []
        self._port = port
        self._people = people
        self._hint = hint
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        self._sender = await signed_in(self._port, self._people[0], "bench")
        self._recipient = await signed_in(self._port, self._people[1], "bench")
        await self.round(200)
        self.cpu_us.clear()

    async def round(self, count: int) -> None:
        """Send so many messages, wait until all have come, and note the server's CPU per message."""
        before = cpu_ns(self.pid)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send(count))
            group.create_task(self._receive(count))
        # What the server still does for these messages belongs to them.
        await asyncio.sleep(0.2)
        self.cpu_us.append((cpu_ns(self.pid) - before) / count / 1000)

    async def _send(self, count: int) -> None:
        to = self._people[1].address
        for sent in range(count):
            number = next(self._numbers)
            start = f"<message to='{to}' type='chat' id='m{number}'><body>"
            end = f"</body><origin-id xmlns='urn:xmpp:sid:0' id='o{number}'/>{self._hint}</message>"
            self._sender.send(start + "x" * max(1, STANZA_BYTES - len(start) - len(end)) + end)
            if sent % REQUEST_EVERY == REQUEST_EVERY - 1:
                self._sender.send(f"<r xmlns='{SM}'/>")
                await self._sender.recv_until(lambda element: element.tag == f"{{{SM}}}a", 30)

    async def _receive(self, count: int) -> None:
        came = 0
        while came < count:
            element = await self._recipient.recv(30)
            if element.tag == f"{{{SM}}}r":
                self._recipient.send(f"<a xmlns='{SM}' h='{self._recipient.handled}'/>")
            came += element.tag == "{jabber:client}message"


async def signed_in(port: int, person: Person, resource: str) -> RawClient:
    """A client as they are today: stream management, carbons, available."""
    client = await RawClient("127.0.0.1", port).connect()
    await client.login(person.name, person.password)
    await client.bind(resource)
    await client.enable_sm(resume=True)
    await client.iq("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    client.send("<presence/>")
    await client.recv_until(lambda element: element.tag == "{jabber:client}presence")
    return client


def cpu_ns(pid: int) -> int:
    """CPU time that all threads of a process have used."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


@contextmanager
def own_core(pid: int) -> Iterator[None]:
    """The process on the first core, this one on the second, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[0]})
        os.sched_setaffinity(0, {cores[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


async def idle_kib(pid: int, port: int, people: list[Person]) -> float:
    """What each of many idle sessions adds to the server's memory."""
    before = rss_kib(pid)
    clients = [await signed_in(port, person, f"idle{number}") for number in range(RESOURCES) for person in people]
    await asyncio.sleep(1.5)
    grown = (rss_kib(pid) - before) / len(clients)
    for client in clients:
        client.cut()
    return grown


async def measure_route(sides: dict[str, Side]) -> None:
    for side in sides.values():
        await side.prepare()
    for _ in range(ROUNDS):
        for side in sides.values():
            with own_core(side.pid):
                await side.round(MESSAGES)


def route() -> dict[str, Side]:
    """CPU per message for every kind of server."""
    with ExitStack() as stack:
        archive = stack.enter_context(ParleyServer({"limits": LIMITS}, people=4))
        plain = stack.enter_context(ParleyServer({"limits": LIMITS, "archive": ["enabled = false"]}, people=2))
        pairs = {
            "archive": (archive, ""),
            "no-archive": (plain, ""),
            "no-store": (archive, NO_STORE),
        }
        sides = {
            name: Side(server.pid, server.c2s_port, [server.person(), server.person()], hint)
            for name, (server, hint) in pairs.items()
        }
        if Prosody.version() is not None:
            for name, has_archive in (("prosody-archive", True), ("prosody", False)):
                prosody = stack.enter_context(Prosody(has_archive=has_archive, people=2))
                sides[name] = Side(prosody.pid, prosody.c2s_port, prosody.people)
        asyncio.run(measure_route(sides))
        return sides


def idle() -> dict[str, float]:
    """Memory per session for each server."""
    found = {}
    count = IDLE_SESSIONS // RESOURCES
    with ParleyServer({"limits": LIMITS}, people=count) as server:
        people = [server.person() for _ in range(count)]
        found["parley"] = asyncio.run(idle_kib(server.pid, server.c2s_port, people))
    if Prosody.version() is not None:
        with Prosody(has_archive=True, people=count) as prosody:
            found["prosody"] = asyncio.run(idle_kib(prosody.pid, prosody.c2s_port, prosody.people))
    return found


def bench() -> Result:
    """All figures."""
    sides, memory = route(), idle()
    peer = Prosody.version() or ""
    figures = [
        _cpu("cpu-no-store", "CPU per routed message, not to be stored", sides, "no-store", "prosody", peer),
        _cpu(
            "cpu-no-archive",
            "CPU per routed message, kept durably until delivered (peer: in memory)",
            sides,
            "no-archive",
            "prosody",
            peer,
        ),
        _cpu("cpu-archive", "CPU per routed message, archived for both", sides, "archive", "prosody-archive", peer),
    ]
    peers = {peer: round(memory["prosody"], 1)} if "prosody" in memory else {}
    met = memory["parley"] < memory.get("prosody", float("inf"))
    what = f"memory per idle session, {IDLE_SESSIONS} sessions"
    figures.append(Figure("memory-idle", what, "KiB", "lower", round(memory["parley"], 1), peers, GOAL, met))
    return Result("xmpp_route", ROUNDS, figures)


def _cpu(figure_id: str, what: str, sides: dict[str, Side], ours: str, theirs: str, peer: str) -> Figure:
    parley = statistics.median(sides[ours].cpu_us)
    peers = {peer: round(statistics.median(sides[theirs].cpu_us), 1)} if theirs in sides else {}
    met = all(parley < value for value in peers.values())
    spread = (round(min(sides[ours].cpu_us), 1), round(max(sides[ours].cpu_us), 1))
    return Figure(figure_id, what, "µs", "lower", round(parley, 1), peers, GOAL, met, spread)
