"""Invitations to rooms from person to person."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0249",
    name="Direct MUC Invitations",
    version="1.2",
    status="passed on to clients, and kept for who is away; what a room sends for an occupant holds this form as well:"
    " edges/xmpp/rooms/invitations.py",
)
