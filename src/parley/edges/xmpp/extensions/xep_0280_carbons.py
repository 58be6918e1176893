"""Copies of messages for the other devices; `edges/xmpp/delivery/messages.py` makes them for who asked here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_CARBONS

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element

_NS_RULES: Final = "urn:xmpp:carbons:rules:0"


async def _enable(request: IqRequest) -> bytes:
    request.session.is_carbons_enabled = True
    return b""


async def _disable(request: IqRequest) -> bytes:
    request.session.is_carbons_enabled = False
    return b""


async def _not_allowed(_request: IqRequest) -> bytes:
    # §4.1, §5.1: the RECOMMENDED condition for who switches them for an account that is not theirs.
    raise StanzaError(StanzaCondition.NOT_ALLOWED)


def _enable_at_bind(_host: Host, session: Session, _element: Element) -> None:
    session.is_carbons_enabled = True


_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0280",
    name="Message Carbons",
    version="1.0.1",
    server_features=(NS_CARBONS, _NS_RULES),
    account_features=(NS_CARBONS,),
    bind_features={(NS_CARBONS, "enable"): _enable_at_bind},
    iq=(
        IqHandler("set", NS_CARBONS, "enable", _ACCOUNT, _enable),
        IqHandler("set", NS_CARBONS, "disable", _ACCOUNT, _disable),
        IqHandler("set", NS_CARBONS, "enable", _CONTACT, _not_allowed, for_strangers=True),
        IqHandler("set", NS_CARBONS, "disable", _CONTACT, _not_allowed, for_strangers=True),
    ),
)
