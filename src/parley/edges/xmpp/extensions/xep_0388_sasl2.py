"""The newer profile of SASL: `protocols/xmpp/c2s.py` speaks it, `../clients/inline.py` does what is asked with it."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.namespaces import NS_SASL2

EXTENSION = Extension(
    spec="XEP-0388",
    name="Extensible SASL Profile",
    version="1.0.4",
    # The success carries tokens, and comes when there is a session already.
    secret_namespaces=(NS_SASL2,),
    status="complete; the mechanisms offered do not depend on the account, so that nobody learns who has one",
)
