"""Plays over sockets, to any server that speaks XMPP.

Scenes share a running server, so each has accounts and rooms of its own: the name in `alice@example.org` goes out as
`alice7@example.org`, and comes back as it stands in the play.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any, Final

import pytest
from lxml import etree
from tests.support.raw_client import SM, RawClient, StreamClosedError
from tests.transcripts.play import CLOSE, DOMAIN

PEOPLE: Final = ("alice", "bob", "carol")
PASSWORD: Final = "secret"
_LOCAL_PART: Final = re.compile(r"([A-Za-z]+)(?=@)")
_BARRIER: Final = "barrier"


class _Guest:
    """A connection of a scene."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.is_bound = False
        self.is_over = False
        self.has_sm = False
        self.is_quiet = False
        self.pending: list[Any] = []
        """What has been read already."""
        self.requests = 0
        """Acknowledgements that were asked for and have not come."""


class SocketHouse:
    """See `play.House`. A context manager: left, every connection is closed.

    Whether everything has come is found out by a question to the server behind all that was said, asked on every
    connection: an answer says that everything before it is done. Where stream management counts stanzas the question
    is a request for an acknowledgement, which it does not count.
    """

    def __init__(self, server: str, address: tuple[str, int], number: int, *, patience_s: float = 5.0) -> None:
        self.server = server
        self.patience_s = patience_s
        self._limit_s = 3 * patience_s
        self._address = address
        self._suffix = str(number)
        self._mine = re.compile(rf"(?<=[A-Za-z]){self._suffix}(?=@)")
        self._guests: dict[str, _Guest] = {}
        self._clients: list[RawClient] = []
        self._asked = 0

    async def __aenter__(self) -> SocketHouse:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            with contextlib.suppress(OSError):
                await client.close()

    async def connect(self, who: str) -> None:
        guest = self._guests[who] = await self._signed_in(who)
        await guest.client.bind(who.partition("/")[2])
        guest.is_bound = True

    async def say(self, who: str, xml: str) -> None:
        guest = self._guests[who]
        guest.requests += xml.count("<r ") if guest.has_sm else 0
        guest.has_sm |= xml.startswith("<enable ")
        guest.is_bound |= "urn:ietf:params:xml:ns:xmpp-bind" in xml
        guest.is_quiet = guest.is_quiet or xml.startswith("<inactive ")
        guest.is_quiet = guest.is_quiet and not xml.startswith("<active ")
        guest.client.send(_LOCAL_PART.sub(rf"\g<1>{self._suffix}", xml))

    async def collect(self) -> dict[str, list[str]]:
        came: dict[str, list[str]] = {}
        # What one of them said has come to the others when they are asked after it was.
        for _ in range(2):
            for who, guest in self._guests.items():
                came.setdefault(who, []).extend(await self._settled(guest))
        return came

    async def drop(self, who: str) -> None:
        guest = self._guests[who]
        guest.is_over = True
        guest.client.cut()

    async def resume(self, who: str, sm_id: str, h: int) -> None:
        guest = self._guests[who] = await self._signed_in(who)
        guest.client.send(f"<resume xmlns='{SM}' previd='{sm_id}' h='{h}'/>")
        answer = await guest.client.recv(self._limit_s)
        guest.pending.append(answer)
        guest.is_bound = answer.tag != f"{{{SM}}}failed"
        guest.has_sm = guest.is_bound

    async def befriend(self, one: str, other: str) -> None:
        for a, b in ((one, other), (other, one)):
            self._guests[f"{a}/friend"] = await self._signed_in(a)
            await self.connect(f"{a}/friend")
            await self.say(f"{a}/friend", f"<presence to='{b}@{DOMAIN}' type='subscribed'/>")
            await self.collect()
        for a, b in ((one, other), (other, one)):
            await self.say(f"{a}/friend", f"<presence to='{b}@{DOMAIN}' type='subscribe'/>")
            await self.collect()
            # Who keeps no approvals has been asked.
            await self.say(f"{b}/friend", f"<presence to='{a}@{DOMAIN}' type='subscribed'/>")
            await self.collect()
        for a in (one, other):
            self._guests[f"{a}/friend"].client.send(CLOSE)
            await self._until_over(self._guests.pop(f"{a}/friend"))

    async def is_closed(self, who: str) -> bool:
        try:
            return await self._until_over(self._guests[who])
        except TimeoutError:
            return False

    async def let_pass(self, seconds: float) -> None:
        pytest.fail("nobody can make time pass over sockets")

    async def _signed_in(self, who: str) -> _Guest:
        client = RawClient(*self._address, DOMAIN)
        self._clients.append(client)
        await client.connect()
        await client.login(who.partition("/")[0] + self._suffix, PASSWORD)
        return _Guest(client)

    async def _until_over(self, guest: _Guest) -> bool:
        try:
            while not guest.is_over:
                await guest.client.recv(self._limit_s)
        except StreamClosedError:
            guest.is_over = True
        return guest.is_over

    async def _settled(self, guest: _Guest) -> list[str]:
        """What has come to one of them, up to the answer to a question asked now."""
        came = [self._told(element) for element in guest.pending]
        guest.pending.clear()
        if guest.is_over:
            return came
        # A question before binding is an error, and one of who is inactive brings what is held back (XEP-0352).
        if not guest.is_bound or (guest.is_quiet and not guest.has_sm):
            return came + [self._told(element) for element in guest.client.waiting()]
        try:
            # Two requests at once may get one answer.
            while guest.requests:
                guest.requests -= await self._read(guest, came) == f"{{{SM}}}a"
            await self._ask(guest, came)
        except StreamClosedError:
            guest.is_over = True
            came.append(CLOSE)
        return came

    async def _ask(self, guest: _Guest, came: list[str]) -> None:
        """Ask something, and read up to the answer."""
        if guest.has_sm:
            guest.client.send(f"<r xmlns='{SM}'/>")
            while await self._read(guest, came) != f"{{{SM}}}a":
                pass
            came.pop()
            return
        self._asked += 1
        number = f"{_BARRIER}{self._asked}"
        guest.client.send(f"<iq type='get' id='{number}' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
        while not came or f'id="{number}"' not in came[-1]:
            await self._read(guest, came)
        came.pop()

    async def _read(self, guest: _Guest, came: list[str]) -> str:
        """Read an element, and return its name. A server asks for acknowledgements when it likes to: nobody is told."""
        element = await guest.client.recv(self._limit_s)
        tag = str(element.tag)
        if tag != f"{{{SM}}}r":
            came.append(self._told(element))
        return tag

    def _told(self, element: Any) -> str:
        return self._mine.sub("", etree.tostring(element, encoding="unicode", with_tail=False))
