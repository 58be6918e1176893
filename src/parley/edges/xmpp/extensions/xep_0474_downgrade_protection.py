"""What was offered, told again under the password's protection: the attribute `h` of SCRAM, in both profiles of SASL."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0474",
    name="SASL SCRAM Downgrade Protection",
    version="0.5.0",
    status="complete, in protocols/xmpp/scram.py",
)
