"""Servers for calls: the STUN and TURN server of `[turn]`, with credentials that are good for a while.

The credentials are those of the TURN REST API, which coturn calls `use-auth-secret`: the name begins with the time when
they end, the password is the name's HMAC under the secret that both servers share, so nothing is stored anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parley.base.config import Settings, TurnSettings

_NS_EXTERNAL: Final = "urn:xmpp:extdisco:2"
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Service:
    """One way to reach the server. `type` is stun, turn or turns; all but stun want credentials."""

    type: str
    transport: str
    port: int


def _services(turn: TurnSettings) -> list[_Service]:
    if not turn.host:
        return []
    transports = [name for name, is_on in (("udp", turn.udp), ("tcp", turn.tcp)) if is_on]
    found = [_Service("stun", transport, turn.port) for transport in transports]
    if turn.secret:
        found += [_Service("turn", transport, turn.port) for transport in transports]
        if turn.tls_port:
            found.append(_Service("turns", "tcp", turn.tls_port))
    return found


async def _list(request: IqRequest) -> bytes:
    wanted = request.tree.get("type")
    services = [each for each in _services(request.host.settings.turn) if wanted in (None, each.type)]
    return xml("services", {"xmlns": _NS_EXTERNAL, "type": wanted}, *_described(request, services))


async def _credentials(request: IqRequest) -> bytes:
    asked = request.tree.find(f"{{{_NS_EXTERNAL}}}service")
    host, kind = ("", "") if asked is None else (asked.get("host", ""), asked.get("type", ""))
    if not host or not kind:
        # §3.3: both MUST be there to tell which service is meant.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a service is named by its host and type")
    turn = request.host.settings.turn
    port = None if asked is None else asked.get("port")
    services = [each for each in _services(turn) if each.type == kind and port in (None, str(each.port))]
    if host.lower() != turn.host.lower() or not services:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    return xml("credentials", {"xmlns": _NS_EXTERNAL}, *_described(request, services))


def _described(request: IqRequest, services: list[_Service]) -> list[bytes]:
    turn = request.host.settings.turn
    secrets = _fresh_credentials(request)
    described = []
    for each in services:
        place = {"host": turn.host, "port": str(each.port), "transport": each.transport, "type": each.type}
        described.append(xml("service", place if each.type == "stun" else {**place, **secrets, "restricted": "true"}))
    return described


def _fresh_credentials(request: IqRequest) -> Mapping[str, str]:
    turn = request.host.settings.turn
    expires_s = request.host.clock.now_us() // _SECOND_US + turn.credentials_lifetime_s
    # The name goes over the network unencrypted: it tells who it is to this server's operator only.
    username = f"{expires_s}:{request.session.account.id}"
    digest = hmac.new(turn.secret.encode(), username.encode(), hashlib.sha1).digest()
    return {
        "username": username,
        "password": base64.b64encode(digest).decode(),
        "expires": format_datetime(expires_s * _SECOND_US),
    }


def _is_enabled(settings: Settings) -> bool:
    return bool(settings.turn.host)


_SERVER: Final = frozenset({Target.SERVER})

EXTENSION = Extension(
    spec="XEP-0215",
    name="External Service Discovery",
    version="1.0.0",
    status="complete for one STUN and TURN server; changes of the settings are not pushed",
    is_enabled=_is_enabled,
    server_features=(_NS_EXTERNAL,),
    secret_namespaces=(_NS_EXTERNAL,),
    iq=(
        IqHandler("get", _NS_EXTERNAL, "services", _SERVER, _list),
        IqHandler("get", _NS_EXTERNAL, "credentials", _SERVER, _credentials),
    ),
)
