"""What personal eventing (XEP-0163) needs of publish-subscribe (XEP-0060).

`nodes.py` knows the nodes of accounts and who may read them, `options.py` turns their configuration into data forms and
back, `refusals.py` words the errors, `events.py` tells subscribers. The requests are in `../xep_0060_pubsub.py`, what
happens by itself in `../xep_0163_pep.py`. Not here: services of their own and collections, there are none.
"""
