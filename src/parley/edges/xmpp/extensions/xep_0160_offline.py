"""Messages for who is away."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0160",
    name="Best Practices for Handling Offline Messages",
    version="1.0.1",
    status="complete: what is worth keeping waits in the log, edges/xmpp/delivery/mail.py delivers it with its time",
    server_features=("msgoffline",),
)
