"""What personal eventing (XEP-0163) needs of publish-subscribe (XEP-0060).

`nodes.py` knows the nodes of accounts and who may read them, `options.py` turns their configuration into data forms and
back, `affiliations.py` and `paging.py` answer what their names say with what `asked.py` reads off a request,
`refusals.py` words the errors, `events.py` tells subscribers. The other requests are in `../xep_0060_pubsub.py`, what
happens by itself in `../xep_0163_pep.py`. Not here: services of their own and collections, there are none.
"""
