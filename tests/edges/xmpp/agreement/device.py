"""One device of the model: what XEP-0198, 0280, 0313 and 0359 make of a client that wants to miss nothing.

It counts what it handles, keeps what it says until that is acknowledged, and resumes. When its session is over it signs
in anew, enters the room again, says the rest once more under the same names, and asks the archives for what is behind
the last message that it knows. A message is known again by the archive's id.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from ..clients.test_stream_management import SM, resume
from ..harness import address
from ..wires import HEADER, PASSWORD, Edge, FakeWire
from .said import NS_RETRACT, NS_SID, ROOM, Said

CLIENT: Final = "{jabber:client}"
NS_SM: Final = "{urn:xmpp:sm:3}"
NS_MAM: Final = "urn:xmpp:mam:2"
NS_RSM: Final = "http://jabber.org/protocol/rsm"
NS_INBOX: Final = "urn:xmpp:inbox:1"
FORWARDED: Final = f"{{urn:xmpp:forward:0}}forwarded/{CLIENT}message"
CARBONS: Final = tuple(f"{{urn:xmpp:carbons:2}}{direction}/{FORWARDED}" for direction in ("sent", "received"))
STANZAS: Final = frozenset(f"{CLIENT}{name}" for name in ("message", "presence", "iq"))
MUC_USER: Final = "{http://jabber.org/protocol/muc#user}x"
PAGE: Final = 4
_IDLE_TURNS: Final = 6
_QUIET_TURNS: Final = 25


@dataclass(slots=True)
class View:
    """What a device knows of one archive.

    Attributes:
        ids: the archive's id of each message, by token; it holds what came live and what was asked for.
        live: tokens that came over the present session, in order, repeats included.
        last_id: of the message that came last.
        behind: the id behind which the archive is to be asked, "" for from the start; None when nothing is missing.
    """

    ids: dict[str, str] = field(default_factory=dict)
    live: list[str] = field(default_factory=list)
    last_id: str = ""
    behind: str | None = ""

    def came(self, token: str, stanza_id: str) -> None:
        assert self.ids.setdefault(token, stanza_id) == stanza_id, f"{token} has two ids"
        self.last_id = stanza_id

    def misses(self) -> None:
        """From here on it does not hear everything: what it does not hear yet is asked for later."""
        if self.behind is None:
            self.behind = self.last_id


class Device:
    """See the module. `hear` is told of each stanza that the server is given."""

    def __init__(self, name: str, *, has_carbons: bool, wants_room: bool, hear: Callable[[Said], None]) -> None:
        self.name, self.has_carbons, self.wants_room = name, has_carbons, wants_room
        self.user, _, self.resource = name.partition("/")
        self.hear = hear
        self.wire: FakeWire | None = None
        self.sm_id = ""
        self.handled = self.base = 0
        self.unacked: list[Said | str] = []
        self.own: set[str] = set()
        self.mail, self.room = View(), View()
        self.private: list[str] = []
        self.ever: set[str] = set()
        """All tokens of people that ever came live."""
        self.nicks: set[str] = set()
        self.errors: list[str] = []
        self.refused: set[str] = set()
        self._answers: dict[str, Any] = {}
        self._found: list[tuple[str, Any]] = []
        self._numbers = itertools.count()

    @property
    def is_connected(self) -> bool:
        return self.wire is not None

    # Its connection.

    async def sign_in(self, edge: Edge, wire: FakeWire | None = None, *, is_hasty: bool = False) -> None:
        """A new session: over a connection that failed to resume, or a new one; in haste it waits for no answers."""
        wire = wire or await signed_in(edge, self.user)
        # Who asked to see it, who is in the room, and what was said to one alone belong to the session that is over.
        rest, self.unacked = [said for said in self.unacked if isinstance(said, Said) and self._says_again(said)], []
        for view in (self.mail, self.room):
            view.live.clear()
            view.misses()
        self.private.clear()
        self.nicks.clear()
        self.wire = wire
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{self.resource}</resource></bind>"
        opening = [f"<iq type='set' id='b'>{bind}</iq>", f"<enable {SM} resume='true'/>"]
        stanzas: list[Said | str] = [*self._first_stanzas(), *rest]
        if is_hasty:
            for each in stanzas:
                self._note_and_hear(each)
            opening = ["".join((*opening, *map(xml_of, stanzas)))]
        # Something may come before stream management counts.
        self.read("".join([await say(edge, wire, text) for text in opening]))
        for each in () if is_hasty else stanzas:
            await self.say(edge, each)

    def _first_stanzas(self) -> Iterator[str]:
        if self.has_carbons:
            yield "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
        yield "<presence/>"
        if self.wants_room:
            yield self._entering()

    def _says_again(self, said: Said) -> bool:
        if said.kind.is_of_people and not said.is_named:
            # The archive will tell whether it arrived.
            self.own.discard(said.token)
        return said.is_named and (said.kind.is_of_people or said.kind.is_of_room)

    async def come_back(self, edge: Edge) -> bool:
        """Resume, or begin anew where that is refused; whether it was resumed."""
        wire, answer = await resume(edge, self.sm_id, self.handled, self.user)
        first, *rest = split(answer)
        if first.get("h") is not None:
            self._acked(int(first.get("h")))
        if first.tag != f"{NS_SM}resumed":
            assert first.tag == f"{NS_SM}failed", answer
            await self.sign_in(edge, wire)
            return False
        self.wire = wire
        self.read_all(rest)
        for said in list(self.unacked):
            await self._give(edge, said)
        return True

    async def leave(self, edge: Edge) -> None:
        """Say goodbye: the session is over."""
        assert self.wire is not None
        self.read((await say(edge, self.wire, "</stream:stream>")).replace("</stream:stream>", ""))
        self.wire, self.sm_id = None, ""

    async def cut(self, edge: Edge, read: float) -> None:
        """The connection breaks; of what is on its way here a part arrives, from 0 for nothing to 1 for all."""
        assert self.wire is not None
        coming = split(await settle(edge, self.wire))
        self.read_all(coming[: round(len(coming) * read)])
        self.wire.abort()
        await settle(edge, self.wire)
        self.wire = None

    # What it says.

    async def say(self, edge: Edge, said: Said | str) -> None:
        """Say something: now, or when it is connected again."""
        self.note(said)
        if self.wire is not None:
            await self._give(edge, said)

    def note(self, said: Said | str) -> None:
        """It is to be said again until the server has it."""
        self.unacked.append(said)
        if isinstance(said, Said) and said.kind.is_of_people:
            self.own.add(said.token)

    async def _give(self, edge: Edge, said: Said | str) -> None:
        assert self.wire is not None
        if isinstance(said, Said):
            self.hear(said)
        self.read(await say(edge, self.wire, xml_of(said)))

    def _note_and_hear(self, said: Said | str) -> None:
        self.note(said)
        if isinstance(said, Said):
            self.hear(said)

    async def enter(self, edge: Edge) -> None:
        self.wants_room = True
        self.room.misses()
        await self.say(edge, self._entering())

    def _entering(self) -> str:
        history = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
        return f"<presence to='{ROOM}/{self.user}'>{history}</presence>"

    async def exit(self, edge: Edge) -> None:
        self.wants_room = False
        await self.say(edge, f"<presence to='{ROOM}/{self.user}' type='unavailable'/>")
        self.outside()

    def outside(self) -> None:
        """It is not in the room any more."""
        self.room.misses()
        self.room.live.clear()
        self.private.clear()
        self.nicks.clear()

    async def acknowledge(self, edge: Edge) -> None:
        if self.wire is not None:
            self.read(await say(edge, self.wire, f"<a {SM} h='{self.handled}'/><r {SM}/>"))

    # What it asks.

    async def ask(self, edge: Edge, kind: str, payload: str, to: str = "") -> Any:
        """Send a request and return what the answer holds; what it found besides is in `found`."""
        number = f"q{next(self._numbers)}"
        self._found.clear()
        await self.say(edge, f"<iq type='{kind}' id='{number}'{f' to={to!r}' if to else ''}>{payload}</iq>")
        await self.acknowledge(edge)
        answer = self._answers.pop(number)
        assert answer.get("type") == "result", etree.tostring(answer)
        return answer[0]

    async def pages(self, edge: Edge, to: str = "", after: str = "", size: int = PAGE) -> list[tuple[str, Any]]:
        """All messages of an archive behind an id, page by page: their ids and themselves."""
        found: list[tuple[str, Any]] = []
        while True:
            behind = f"<after>{after}</after>" if after else ""
            page = f"<set xmlns='{NS_RSM}'><max>{size}</max>{behind}</set>"
            fin = await self.ask(edge, "set", f"<query xmlns='{NS_MAM}'>{page}</query>", to)
            found += self._found
            if fin.get("complete") == "true":
                return found
            after = found[-1][0]

    async def catch_up(self, edge: Edge) -> None:
        """Ask both archives for what it did not hear."""
        for view, to in ((self.mail, ""), (self.room, ROOM)):
            if view.behind is not None:
                for stanza_id, message in await self.pages(edge, to, view.behind):
                    view.came(token_of(message), stanza_id)
                view.behind = None
        if not self.has_carbons:
            self.mail.misses()
        if not self.wants_room:
            self.room.misses()

    async def unread(self, edge: Edge) -> dict[str, int]:
        """What the inbox says, by person."""
        fin = await self.ask(edge, "get", f"<inbox xmlns='{NS_INBOX}' messages='false'/>")
        counts = {entry.get("jid").partition("@")[0]: int(entry.get("unread")) for _, entry in self._found}
        assert fin.get("all-unread") == str(sum(counts.values()))
        return counts

    # What it hears.

    def read(self, text: str) -> None:
        self.read_all(split(text))

    def read_all(self, elements: list[Any]) -> None:
        for element in elements:
            if element.tag in STANZAS:
                self.handled += 1
            if element.tag == f"{NS_SM}enabled":
                self.sm_id = element.get("id")
                self.handled = self.base = 0
            elif element.tag == f"{NS_SM}a":
                self._acked(int(element.get("h")))
            elif element.tag == f"{CLIENT}iq":
                self._answers[element.get("id")] = element
            elif element.tag == f"{CLIENT}presence":
                self._presence(element)
            elif element.tag == f"{CLIENT}message":
                self._message(element)

    def _message(self, element: Any) -> None:
        result = element.find(f"{{{NS_MAM}}}result")
        entry = element.find(f"{{{NS_INBOX}}}entry")
        copies = [copy for copy in map(element.find, CARBONS) if copy is not None]
        if element.get("type") == "error":
            self.errors.append(etree.tostring(element).decode())
            self.refused.add(token_of(element))
        elif result is not None:
            self._found.append((result.get("id"), result.find(FORWARDED)))
        elif entry is not None:
            self._found.append(("", entry))
        elif element.get("type") == "groupchat":
            self._came(self.room, element, ROOM)
        else:
            message = copies[0] if copies else element
            if message.find(MUC_USER) is not None:
                self.private.append(token_of(message))
            else:
                self._came(self.mail, message, address(self.user))

    def _came(self, view: View, message: Any, by: str) -> None:
        token = token_of(message)
        ids = [each.get("id") for each in message.findall(f"{{{NS_SID}}}stanza-id") if each.get("by") == by]
        if view is self.room and not ids:
            return  # the subject
        assert len(ids) == 1, etree.tostring(message)
        view.came(token, ids[0])
        view.live.append(token)
        if view is self.mail:
            self.ever.add(token)

    def _presence(self, element: Any) -> None:
        room, _, nick = element.get("from", "").partition("/")
        if room == ROOM:
            assert element.get("type") != "error", etree.tostring(element)
            if element.get("type") == "unavailable":
                self.nicks.discard(nick)
            else:
                self.nicks.add(nick)

    def _acked(self, h: int) -> None:
        assert h >= self.base, f"acknowledged {h} after {self.base}"
        del self.unacked[: h - self.base]
        self.base = h


def xml_of(said: Said | str) -> str:
    return said if isinstance(said, str) else said.xml


async def signed_in(edge: Edge, user: str) -> FakeWire:
    """A connection of somebody who has no session yet."""
    wire = edge.open()
    await edge.say(wire, HEADER)
    token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    await edge.ask(wire, f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>", "<success")
    await edge.say(wire, HEADER)
    return wire


async def say(edge: Edge, wire: FakeWire, data: str) -> str:
    """Send and return the answer."""
    if not wire.is_closed and wire.receiver is not None:
        wire.receiver.received(data.encode())
    return await settle(edge, wire)


async def settle(edge: Edge, wire: FakeWire | None = None) -> str:
    """Let happen what can happen now; returns what came over the wire."""
    quiet, seen = 0, (-1, -1)
    while quiet < (_QUIET_TURNS if edge.host.supervisor.running else _IDLE_TURNS):
        await asyncio.sleep(0)
        now = edge.host.supervisor.running, 0 if wire is None else len(wire.out)
        quiet, seen = (quiet + 1 if now == seen else 0), now
    return "" if wire is None else wire.take()


def token_of(message: Any) -> str:
    return str(message.get("id"))


def is_tombstone(message: Any) -> bool:
    return message.find(f"{{{NS_RETRACT}}}retracted") is not None and message.find(f"{CLIENT}body") is None


def split(text: str) -> list[Any]:
    text = text.replace("</stream:stream>", "")
    return list(etree.fromstring(f"<x xmlns='jabber:client' xmlns:stream='s'>{text}</x>"))


def repeated(tokens: list[str]) -> Iterator[str]:
    """What comes in a list after it had come already."""
    seen: set[str] = set()
    for token in tokens:
        if token in seen:
            yield token
        seen.add(token)
