"""Registration with an invitation, declared for the reference; the stream does it, in `../clients/registering.py`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.registration import NS_PARS

EXTENSION = Extension(
    spec="XEP-0445",
    name="Pre-Authenticated In-Band Registration",
    version="0.2.0",
    is_enabled=lambda settings: settings.xmpp.registration != "closed",
    secret_namespaces=(NS_PARS,),
)
