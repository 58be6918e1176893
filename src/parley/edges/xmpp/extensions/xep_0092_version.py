"""Which software answers."""

from __future__ import annotations

from parley import __version__
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.namespaces import NS_VERSION


async def _version(_request: IqRequest) -> bytes:
    # §4: the operating system is left out, it is nobody's business.
    return xml("query", {"xmlns": NS_VERSION}, xml("name", None, "Parley"), xml("version", None, __version__))


EXTENSION = Extension(
    spec="XEP-0092",
    name="Software Version",
    version="1.1",
    status="complete; the operating system is not told",
    server_features=(NS_VERSION,),
    iq=(IqHandler("get", NS_VERSION, "query", frozenset({Target.SERVER}), _version, for_strangers=True),),
)
