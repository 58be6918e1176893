"""Session establishment, which RFC 6121 left out: old clients ask for it and get a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension, IqHandler, Target
from parley.protocols.xmpp.namespaces import NS_SESSION

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import IqRequest


async def _establish(_request: IqRequest) -> bytes:
    return b""


EXTENSION = Extension(
    spec="RFC 3921",
    name="Session Establishment",
    version="2004",
    status="complete: a session exists as soon as a resource is bound, so the answer is always yes",
    iq=(IqHandler("set", NS_SESSION, "session", frozenset({Target.ACCOUNT, Target.SERVER}), _establish),),
)
