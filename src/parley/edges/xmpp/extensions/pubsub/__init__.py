"""Publish-subscribe (XEP-0060): one engine for services with a domain of their own and for accounts (XEP-0163).

`asked.py` reads off a request what all have in common. `items.py`, `creating.py`, `subscriptions.py`, `managing.py`,
`affiliations.py`, `approval.py` and `pending.py` each do what their names say; `nodes.py` remembers nodes and who is
subscribed, `access.py` what people are to them. `delivery.py` tells subscribers of the events of `events.py`, and at
accounts whoever asked by capabilities (`interests.py`, `listeners.py`, `guests.py`). Not here: the rules themselves
(`domain/pubsub`), and collections, there are none. To add a request, copy `managing.py` and name it in
`../xep_0060_pubsub.py`; to add an option of nodes, add it to `NodeConfig` and one line to `options.py`.
"""
