"""Nicknames are published at a node of the account, and pass in presence and messages as they are."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0172",
    name="User Nickname",
    version="1.1",
)
