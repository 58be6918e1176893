"""Sans-IO protocol cores: bytes and the time go in, events and bytes come out.

Here: one package per protocol (`xmpp`), usable by a server, a client or a test without any network. Not here: sockets,
asyncio, clocks, randomness, logging (the edges have those) and what the product means by a message (the domain).
Adding a protocol: copy the shape of `xmpp` (`errors.py` with one root, a framer, small value types, a fuzz target).
"""
