"""Requests that the server itself sends, to a client or to whatever has an address, and their answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from parley.protocols.xmpp.element import xml

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.post import Post
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID


class QueryTimeoutError(Exception):
    """No answer came in time."""


class Queries:
    """Open requests by who is asked, id and who asks."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[tuple[Session | str, str, str], asyncio.Future[Element]] = {}

    async def ask(self, session: Session, payload: bytes, *, from_: str, timeout_s: float) -> Element:
        """Send an iq of type get and return the result or error stanza.

        Raises:
            QueryTimeoutError: no answer within `timeout_s` seconds.
        """
        query_id = self._next_id()
        attrs = {"type": "get", "id": query_id, "from": from_, "to": str(session.jid)}
        stanza = xml("iq", attrs, payload)
        return await self._answer((session, query_id, from_), lambda: session.send(stanza), timeout_s)

    async def ask_at(
        self, post: Post, to: JID, payload: bytes, *, from_: str, timeout_s: float, kind: str = "set"
    ) -> Element:
        """Send an iq of type `kind` to any address and return the result or error stanza. Raises as `ask`."""
        query_id = self._next_id()
        stanza = xml("iq", {"type": kind, "id": query_id, "from": from_, "to": str(to)}, payload)
        return await self._answer((str(to), query_id, from_), lambda: post.send(stanza, to), timeout_s)

    def _next_id(self) -> str:
        return f"q{next(self._numbers)}"

    async def _answer(self, key: tuple[Session | str, str, str], send: Callable[[], None], timeout_s: float) -> Element:
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._open[key] = future
        try:
            send()
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            raise QueryTimeoutError from error
        finally:
            del self._open[key]

    def came(self, sender: str, element: Element) -> bool:
        """Take an iq of type result or error of an address if it answers an open request."""
        return self._settle((sender, element.id or "", element.to or ""), element)

    def answered(self, session: Session, element: Element) -> bool:
        """Take an iq of type result or error if it answers an open request."""
        return self._settle((session, element.id or "", element.to or ""), element)

    def _settle(self, key: tuple[Session | str, str, str], element: Element) -> bool:
        future = self._open.get(key)
        if future is None:
            return False
        if not future.done():
            future.set_result(element)
        return True
