"""Addresses in their normal form."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="RFC 7622",
    name="XMPP Address Format",
    version="2015-09",
    status="complete, in protocols/xmpp/jid.py",
)
