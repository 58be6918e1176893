"""Pings: a client asks whether anybody is there."""

from __future__ import annotations

from typing import Final

from parley.edges.xmpp.extension import ANY_SERVICE, Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.namespaces import NS_PING


async def _ping(_request: IqRequest) -> bytes:
    return b""


_BOTH: Final = frozenset({Target.SERVER, Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0199",
    name="XMPP Ping",
    version="2.0.1",
    server_features=(NS_PING,),
    account_features=(NS_PING,),
    iq=(
        # §4.2: the server answers for itself and for the account.
        IqHandler(
            "get",
            NS_PING,
            "ping",
            frozenset({Target.SERVER, Target.ACCOUNT}),
            _ping,
            service=ANY_SERVICE,
            for_strangers=True,
        ),
    ),
)
