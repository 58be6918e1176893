"""Rooms for conversations of many (XEP-0045's model): who is in, who may do what, what happens then.

Pure state and rules; what is stored is in `ports.py`, how it is said on the wire in `edges/xmpp/rooms/`. Not here: any
protocol, any text for clients. To add a rule of who may do what, see `privileges.py`; a new option, `config.py`.
"""
