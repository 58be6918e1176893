"""Server CPU per page of 50 messages from a long archive, beside Prosody and ejabberd.

One person asks for the newest page, and for one that begins at a time in the middle. The archives were put into each
server's own storage: a million messages for Parley (by its storage) and for Prosody's SQLite (by SQL); for Prosody's
internal storage the 10,000 that it keeps at most, as a file; for ejabberd's Mnesia 2,000 by its own calls, since what
it takes to write one grows with those that are there. Prosody does not have to count them all, as Parley does not.
"""

from __future__ import annotations

import asyncio
import datetime
import sqlite3
import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from tests.support.server import ParleyServer

from bench import peers
from bench.load import signed_in
from bench.measuring import against, cpu_ns, rounds_of
from bench.peers import Server
from bench.report import Result
from parley.base.clock import SystemClock
from parley.base.ids import Uuid7
from parley.domain.messages import Confidentiality, Direction, MailboxEntry, NewMessage
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

ROUNDS = 5
PAGES = 10
PAGE_ITEMS = 50
MESSAGES = 1_000_000
INTERNAL_MESSAGES = 10_000
MNESIA_MESSAGES = 2_000
FLUSH_EVERY = 10_000
SETTLE_S = 0.2
PEER = "person1@localhost"
OWNER = "person0@localhost"
# A message a second until now.
STARTED_S = int(time.time()) - MESSAGES
CONTENT = (
    f"<message xmlns='jabber:client' to='{OWNER}' from='{PEER}/x' type='chat' id='m'><body>{'x' * 80}</body></message>"
)


class Archive:
    """Somebody who reads the own archive of so many messages; `is_newest` says from which end."""

    def __init__(self, server: Server, messages: int) -> None:
        self.server = server
        self.is_newest = True
        self._messages = messages

    @property
    def label(self) -> str:
        """The server's, with the size where it is another."""
        return self.server.label + ("" if self._messages == MESSAGES else f" ({self._messages:,})")

    async def prepare(self) -> None:
        """The reader has done it before."""
        self._reader = await signed_in(self.server.c2s_port, self.server.people[0])
        await self._page()

    async def round(self) -> float:
        """CPU in ms per page."""
        before = cpu_ns(self.server.pid)
        for _ in range(PAGES):
            await self._page()
        await asyncio.sleep(SETTLE_S)
        return (cpu_ns(self.server.pid) - before) / PAGES / 1e6

    async def _page(self) -> None:
        had = self._reader.counts["message"]
        middle = datetime.datetime.fromtimestamp(STARTED_S + MESSAGES - self._messages // 2, datetime.UTC)
        form = (
            "<x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
            f"<field var='start'><value>{middle:%Y-%m-%dT%H:%M:%SZ}</value></field></x>"
        )
        end = "<before/>" if self.is_newest else ""
        await self._reader.iq(
            "set",
            f"<query xmlns='urn:xmpp:mam:2' queryid='q'>{'' if self.is_newest else form}"
            f"<set xmlns='http://jabber.org/protocol/rsm'><max>{PAGE_ITEMS}</max>{end}</set></query>",
        )
        # Messages come before the answer.
        assert self._reader.counts["message"] - had == PAGE_ITEMS, (self.server.label, self._reader.counts)


def fill_parley(server: ParleyServer) -> None:
    """Through its own storage."""
    asyncio.run(_append(server.data / "parley.db"))


async def _append(path: Path) -> None:
    ids = Uuid7(SystemClock())
    async with SqliteStorage(path, SystemClock(), StorageOptions(is_checked=False)) as storage:
        account = await storage.accounts.find(OWNER)
        assert account is not None
        entries = (MailboxEntry(account.id, PEER, Direction.IN, True, False),)
        for number in range(MESSAGES):
            at_us = (STARTED_S + number) * 1_000_000
            # In Parley's log, as on a client's stream, this namespace goes without saying.
            content = CONTENT.replace(" xmlns='jabber:client'", "").encode()
            new = NewMessage(ids.text(), at_us, PEER, OWNER, Confidentiality.MANAGED, content, entries)
            storage.messages.append(new, lambda _: None)
            if number % FLUSH_EVERY == FLUSH_EVERY - 1:
                await storage.flush()


async def _ask(server: Server) -> None:
    client = await signed_in(server.c2s_port, server.people[0])
    await client.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
    await client.close()


def fill_prosody_sql(server: Server) -> None:
    """Rows for the tables that Prosody makes when they are first asked for."""
    asyncio.run(_ask(server))
    with sqlite3.connect(server.folder / "prosody.sqlite", timeout=30) as connection:
        connection.executemany(
            'INSERT INTO prosodyarchive ("host", "user", "store", "key", "when", "with", "type", "value")'
            " VALUES ('localhost', 'person0', 'archive', ?, ?, ?, 'xml', ?)",
            ((f"key{number}", STARTED_S + number, PEER, CONTENT) for number in range(MESSAGES)),
        )
    connection.close()


def fill_prosody_internal(folder: Path) -> None:
    """A list as Prosody keeps it."""
    archives = folder / "data" / "localhost" / "archive"
    archives.mkdir(parents=True)
    attributes = {"xmlns": "jabber:client", "to": OWNER, "from": f"{PEER}/x", "type": "chat", "id": "m"}
    body: dict[object, object] = {"name": "body", "attr": {"xmlns": "jabber:client"}, 1: "x" * 80}
    with (archives / "person0.list").open("w") as file:
        for number in range(INTERNAL_MESSAGES):
            at_s = STARTED_S + MESSAGES - INTERNAL_MESSAGES + number
            kept = {"key": f"key{number}", "when": at_s, "with": PEER, "name": "message", "attr": attributes, 1: body}
            file.write(f"item({peers.lua(kept)});\n")


EJABBERD_ARCHIVE = f"""
Body = {{xmlel, <<"body">>, [], [{{xmlcdata, binary:copy(<<"x">>, 80)}}]}}.
Packet = {{xmlel, <<"message">>, [{{<<"to">>, <<"{OWNER}">>}}, {{<<"from">>, <<"{PEER}/x">>}},
    {{<<"type">>, <<"chat">>}}, {{<<"id">>, <<"m">>}}], [Body]}}.
Peer = {{<<"person1">>, <<"localhost">>, <<>>}}.
First = {STARTED_S + MESSAGES - MNESIA_MESSAGES}.
[mnesia:dirty_write({{archive_msg, {{<<"person0">>, <<"localhost">>}}, integer_to_binary((First + N) * 1000000),
    {{(First + N) div 1000000, (First + N) rem 1000000, 0}}, {{<<"person1">>, <<"localhost">>, <<"x">>}}, Peer,
    Packet, <<>>, chat}}) || N <- lists:seq(1, {MNESIA_MESSAGES})].
"""


def bench() -> Result:
    """All rounds."""
    found: dict[bool, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        trials = [Archive(stack.enter_context(peers.parley(people=2, fill=fill_parley)), MESSAGES)]
        if peers.has_prosody():
            by_sql = stack.enter_context(peers.prosody(people=2, archive="sql"))
            fill_prosody_sql(by_sql)
            internal = peers.prosody(people=2, archive="internal", fill=fill_prosody_internal)
            trials.append(Archive(by_sql, MESSAGES))
            trials.append(Archive(stack.enter_context(internal), INTERNAL_MESSAGES))
        if peers.has_ejabberd():
            mnesia = stack.enter_context(peers.ejabberd(people=2, has_archive=True, script=EJABBERD_ARCHIVE))
            trials.append(Archive(mnesia, MNESIA_MESSAGES))
        asyncio.run(_measure(trials, found))
    figures = []
    for is_newest, values in found.items():
        where = "newest" if is_newest else "from the middle"
        what = f"server CPU per archive page of {PAGE_ITEMS}, {where}, of {MESSAGES:,} messages"
        name = f"cpu-page-{'newest' if is_newest else 'middle'}"
        figures.append(against(name, what, "ms", values.pop("parley"), values, Fraction(1, 2)))
    return Result("xmpp_archive", ROUNDS, figures)


async def _measure(trials: list[Archive], found: dict[bool, dict[str, list[float]]]) -> None:
    for trial in trials:
        await trial.prepare()
    for is_newest in (True, False):
        for trial in trials:
            trial.is_newest = is_newest
        measured = await rounds_of(trials, ROUNDS)
        found[is_newest] = {trial.label: values for trial, values in zip(trials, measured, strict=True)}
