"""XMPP building blocks without I/O: addresses, stanzas, framing, errors, SASL, stream management, common payloads.

Here: what RFC 6120, 6121, 7395, 7622 and general XEPs (0004, 0059, 0082, 0115, 0198) say about bytes and states.
Not here: sessions' I/O (`edges/xmpp`), one XEP's behaviour (`edges/xmpp/extensions`), accounts and messages (`domain`).
Hot path: `framing.Framer` -> `element.Element` -> `element.restamp`; a tree is built only when somebody asks for it.
Adding a payload format: copy `rsm.py` (parse from a tree, render to bytes, `PayloadError` for bad input) and its test.
"""
