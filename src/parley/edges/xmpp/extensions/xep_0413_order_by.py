"""Items in the order of their creation or of their last change; nodes keep both, see `pubsub/paging.py`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0413",
    name="Order-By",
    version="0.2",
    status="for items of nodes; archives come in the order of time",
)
