"""Rooms on the wire (XEP-0045 and what belongs to it): the receiver of the service `rooms`, in small files.

`service.py` finds the room and hands on; `live.py` is one room with those inside; each request has its own file
(`entering.py`, `messages.py`, `administration.py` …); `rendering.py` makes the stanzas. Rules and state are in
`parley.domain.rooms`. To add a request to rooms: a function that takes `Asked`, and a line in `requests.py`.
"""
