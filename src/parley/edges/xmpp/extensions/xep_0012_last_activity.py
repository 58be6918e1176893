"""How long the server is up, and how long ago somebody left: told to those who may see their presence."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from parley.domain.errors import NotFound
from parley.domain.people.personal import Departure
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.pubsub.access import is_visible
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_CLIENT

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

_NS_LAST: Final = "jabber:iq:last"
_SECOND_US: Final = 1_000_000
_MAX_STATUS: Final = 1000


async def _uptime(request: IqRequest) -> bytes:
    host = request.host
    return _answer(host.clock.monotonic() - host.started_at)


async def _last_seen(request: IqRequest) -> bytes:
    host, account = request.host, request.account
    if account is None or not await is_visible(host, account, str(request.asker)):
        # §3: who may not see the presence MUST get this error.
        raise StanzaError(StanzaCondition.FORBIDDEN)
    if host.router.available(account.address):
        return _answer(0)
    departure = await host.stores.personal.departure(account.id)
    if departure is None:
        # Nobody was ever there.
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    return _answer((host.clock.now_us() - departure.left_at) / _SECOND_US, departure.status)


def _answer(seconds: float, status: str = "") -> bytes:
    # A clock that was set back must not make it negative.
    return xml("query", {"xmlns": _NS_LAST, "seconds": str(max(int(seconds), 0))}, status)


async def _unavailable(host: Host, session: Session, stanza: bytes) -> None:
    if not host.router.available(session.account.address):
        status = Element.from_bytes(stanza).text_of(NS_CLIENT, "status") or ""
        departure = Departure(host.clock.now_us(), status[:_MAX_STATUS])
        # An account may go with its last device.
        with contextlib.suppress(NotFound):
            await host.stores.personal.departed(session.account.id, departure)


EXTENSION = Extension(
    spec="XEP-0012",
    name="Last Activity",
    version="2.0",
    server_features=(_NS_LAST,),
    account_features=(_NS_LAST,),
    on_unavailable=_unavailable,
    iq=(
        IqHandler("get", _NS_LAST, "query", frozenset({Target.SERVER}), _uptime, for_strangers=True),
        IqHandler(
            "get", _NS_LAST, "query", frozenset({Target.ACCOUNT, Target.CONTACT}), _last_seen, for_strangers=True
        ),
    ),
)
