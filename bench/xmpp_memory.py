"""Memory per idle session, plain and over TLS, beside Prosody and ejabberd.

Sessions have stream management and carbons and are available; several belong to one account, as a person has devices.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from fractions import Fraction

from tests.support.server import rss_kib

from bench import peers
from bench.load import Client, all_signed_in
from bench.measuring import against
from bench.peers import Server
from bench.report import Figure, Result

ROUNDS = 2
SESSIONS = 500
RESOURCES = 5
PEOPLE = SESSIONS // RESOURCES
WARM_UP = 20
SETTLE_S = 2.0


async def idle_kib(server: Server, *, has_tls: bool) -> float:
    """What each of many idle sessions adds to the server's memory."""
    port = server.tls_port if has_tls else server.c2s_port
    # What the first sessions bring with them, such as libraries, is not theirs alone.
    clients = await all_signed_in(port, server.people[PEOPLE:], "first", has_tls=has_tls)
    await asyncio.sleep(SETTLE_S / 2)
    before = rss_kib(server.pid)
    more: list[Client] = []
    for number in range(RESOURCES):
        more += await all_signed_in(port, server.people[:PEOPLE], f"idle{number}", has_tls=has_tls)
    await asyncio.sleep(SETTLE_S)
    grown = (rss_kib(server.pid) - before) / len(more)
    for client in clients + more:
        client.cut()
    return grown


def _servers() -> list[AbstractContextManager[Server, bool | None]]:
    people = PEOPLE + WARM_UP
    found: list[AbstractContextManager[Server, bool | None]] = [peers.parley(people=people)]
    if peers.has_prosody():
        found.append(peers.prosody(people=people, archive="sql"))
    if peers.has_ejabberd():
        found.append(peers.ejabberd(people=people, has_archive=True))
    return found


def bench() -> Result:
    """A new server for each value: memory that sessions leave behind would flatter the next ones."""
    found: dict[bool, dict[str, list[float]]] = {False: {}, True: {}}
    for _ in range(ROUNDS):
        for has_tls, values in found.items():
            for opening in _servers():
                with opening as server:
                    kib = asyncio.run(idle_kib(server, has_tls=has_tls))
                    values.setdefault(server.label.removesuffix(" SQLite"), []).append(kib)
    return Result("xmpp_memory", ROUNDS, [_figure(has_tls, values) for has_tls, values in found.items()])


def _figure(has_tls: bool, values: dict[str, list[float]]) -> Figure:
    return against(
        f"memory-idle{'-tls' if has_tls else ''}",
        f"memory per idle session, {SESSIONS} sessions{' over TLS' if has_tls else ''}",
        "KiB",
        values["parley"],
        {name: each for name, each in values.items() if name != "parley"},
        Fraction(1),
        "Prosody's",
        named="prosody",
    )
