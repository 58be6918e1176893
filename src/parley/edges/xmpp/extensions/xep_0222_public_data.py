"""Public data of an account: open nodes that keep their items, by publish options (`xep_0060_pubsub.py`)."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(spec="XEP-0222", name="Persistent Storage of Public Data via PubSub", version="1.0.1")
