"""TLS from the first byte."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0368",
    name="SRV records for XMPP over TLS",
    version="1.1.0",
    status="the ports are served (xmpp.c2s_tls, xmpp.s2s_tls), others are found by both kinds of records; our own"
    " records are in the DNS of who runs the server",
)
