"""What time it is here."""

from __future__ import annotations

from typing import Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import xml

_NS_TIME: Final = "urn:xmpp:time"
_SECOND_US: Final = 1_000_000


async def _time(request: IqRequest) -> bytes:
    # §5: where the machine stands is nobody's business, so its offset is always that of UTC.
    now_us = request.host.clock.now_us() // _SECOND_US * _SECOND_US
    return xml("time", {"xmlns": _NS_TIME}, xml("tzo", None, "+00:00"), xml("utc", None, format_datetime(now_us)))


EXTENSION = Extension(
    spec="XEP-0202",
    name="Entity Time",
    version="2.0",
    server_features=(_NS_TIME,),
    iq=(IqHandler("get", _NS_TIME, "time", frozenset({Target.SERVER}), _time, for_strangers=True),),
)
