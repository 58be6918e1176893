"""Federation: streams to and from other servers (RFC 6120 §4, §13; XEP-0178, 0198, 0220, 0288, 0368).

Here: who connects where (`links.py`), each direction's streams, what of their stanzas is let in and how ours go out.
`ports.py` says what is asked of the partners' policy and of the durable queue. Not here: bytes and states of a stream
(`protocols/xmpp/s2s*.py`), names and connections (`base/net`), what a stanza does once it is in (the rest of
`edges/xmpp`).
"""
