"""The id under which an archive knows a message."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.namespaces import NS_STANZA_IDS

EXTENSION = Extension(
    spec="XEP-0359",
    name="Unique and Stable Stanza IDs",
    version="0.7.0",
    status="complete: edges/xmpp/delivery/messages.py stamps and removes them, and tells by origin ids what came twice",
    account_features=(NS_STANZA_IDS,),
)
