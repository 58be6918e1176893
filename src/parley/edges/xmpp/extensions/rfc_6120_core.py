"""Streams, authentication, stanzas and their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension, IqHandler, Target
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_BIND

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import IqRequest


async def _bind(_request: IqRequest) -> bytes:
    # §7.6.2.2: the first time is before the stream is established; a stream has one resource here.
    raise StanzaError(StanzaCondition.NOT_ALLOWED, "a resource is bound already")


EXTENSION = Extension(
    spec="RFC 6120",
    name="XMPP Core",
    version="2011-03",
    status="complete for clients, in protocols/xmpp/c2s.py and edges/xmpp; without other servers",
    iq=(IqHandler("set", NS_BIND, "bind", frozenset({Target.ACCOUNT, Target.SERVER}), _bind),),
)
