"""Publish-subscribe (XEP-0060, XEP-0163): what services, nodes, items and subscriptions are, and who may do what.

Here: data (`nodes.py`), the rules as tables and pure functions (`rules.py`), which items are a page (`pages.py`) and
the port to what is stored (`ports.py`). Not here: requests, forms and notifications (`edges/xmpp/extensions/pubsub`).
"""
