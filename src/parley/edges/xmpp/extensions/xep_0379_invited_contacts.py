"""Subscriptions with an invitation's token are granted at once; `edges/xmpp/people/subscribing.py` asks for it here."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.registration import NS_PARS

EXTENSION = Extension(
    spec="XEP-0379",
    name="Pre-Authenticated Roster Subscription",
    version="0.3.3",
    status="the server makes the tokens (XEP-0401) and grants what they ask for",
    server_features=(NS_PARS,),
)
