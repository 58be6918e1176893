"""XMPP for clients: from sockets to the domain and back.

`server.py` listens, `connection.py` negotiates one stream, `session.py` is a bound resource, `router.py` knows where
everybody is, `messages.py`, `presences.py` and `requests.py` handle the three kinds of stanza. What is a XEP stands in
`extensions/`, one file each: copy `xep_0199_ping.py` to add one. Wire syntax is in `protocols/xmpp`, rules that know no
XMPP in `domain`.
"""
