"""What every layer may use: errors, clock, ids, logs, configuration, the supervisor, and `net/` with the transports.

Nothing here knows a protocol, an account or a message. A module belongs here when two layers need it and it needs
none of them. `clock.py` is the one to copy: a small `Protocol`, the real thing, and the one that tests drive.
Domain and protocol code takes `now` as an argument and imports from here only errors and types.
"""
