"""Dates and times."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0082",
    name="XMPP Date and Time Profiles",
    version="1.1.1",
    status="moments in UTC, written and read: protocols/xmpp/datetimes.py",
)
