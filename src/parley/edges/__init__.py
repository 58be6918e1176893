"""The doors to the outside: `xmpp` for clients, `http` for browsers and operators, `admin` for the command line.

Here: sockets, wire formats, and the translation between a protocol's core and the domain. Not here: rules about
accounts and messages (the domain) and SQL (the storage). The edges never import each other: what one needs of another
is a `Protocol` in `domain/ports.py` that `app` hands over. Adding one: copy the shape of `http`.
"""
