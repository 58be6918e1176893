"""Requests that the server itself sends to a client, and their answers."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from parley.protocols.xmpp.element import xml

if TYPE_CHECKING:
    from parley.edges.xmpp.session import Session
    from parley.protocols.xmpp.element import Element


class QueryTimeoutError(Exception):
    """The client did not answer in time."""


class Queries:
    """Open requests by session and id."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[tuple[Session, str, str], asyncio.Future[Element]] = {}

    async def ask(self, session: Session, payload: bytes, *, from_: str, timeout_s: float) -> Element:
        """Send an iq of type get and return the result or error stanza.

        Raises:
            QueryTimeoutError: no answer within `timeout_s` seconds.
        """
        query_id = f"q{next(self._numbers)}"
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        key = (session, query_id, from_)
        self._open[key] = future
        attrs = {"type": "get", "id": query_id, "from": from_, "to": str(session.jid)}
        try:
            session.send(xml("iq", attrs, payload))
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            raise QueryTimeoutError from error
        finally:
            del self._open[key]

    def answered(self, session: Session, element: Element) -> bool:
        """Take an iq of type result or error if it answers an open request."""
        future = self._open.get((session, element.id or "", element.to or ""))
        if future is None:
            return False
        if not future.done():
            future.set_result(element)
        return True
