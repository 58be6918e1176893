"""Private data of an account: nodes that only it reads, by publish options (`xep_0060_pubsub.py`)."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(spec="XEP-0223", name="Persistent Storage of Private Data via PubSub", version="1.1.1")
