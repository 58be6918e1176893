"""The syntax of HTTP that needs care: ranges, preconditions, digests, dispositions, and the headers of tus 1.0.

Pure functions from header values to values. What a server does with them is in `edges/http`; sockets and message
framing are the HTTP server's. `ranges.py` is the one to copy: parse what the RFC allows, say what happens to the rest.
"""
