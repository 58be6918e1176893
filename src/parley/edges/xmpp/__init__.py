"""XMPP for clients: from sockets to the domain and back.

`server.py` puts it together and listens, `router.py` knows where everybody is, `requests.py` handles requests. Streams
and sessions of our clients are in `clients/`, messages in `delivery/`, presence and rosters in `people/`, other servers
in `federation/`, rooms in `rooms/`. What is a XEP stands in `extensions/`, one file each: copy `xep_0199_ping.py` to
add one. Wire syntax is in `protocols/xmpp`, rules that know no XMPP in `domain`.
"""
