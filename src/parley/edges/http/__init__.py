"""HTTP: the web app, uploads and downloads, XMPP's WebSocket, discovery, health and metrics.

`server.py` listens, `app.py` routes. Every route is handed an `Exchange` and replies through it; it refuses by raising
a `Refusal`. Header syntax is in `protocols/http`; what happens on a WebSocket is the XMPP edge's. Adding a route: copy
`discovery.py`, the smallest, and name it in `app.py`.
"""
