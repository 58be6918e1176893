"""Drivers: one per transport, each turning a socket into calls of a `Receiver` and back.

Here: `wire.py` (what an edge sees of any connection), `stream.py` (TCP and TLS), `websocket.py` (ASGI WebSockets),
`peers.py` (which addresses count as one). For connections to other servers: `resolver.py`, `connecting.py`,
`server_tls.py`, `identities.py` (for whom a certificate speaks). Not here: anything about what the bytes mean. To add a
transport, copy `stream.py`.
"""
