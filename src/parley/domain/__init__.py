"""What Parley is about, free of any protocol and of all I/O.

Here: accounts, devices, conversations, messages, mailboxes, contacts, presence, uploads, the pipeline a message passes,
and `ports.py`, the only doors to the world outside. Not here: JIDs, stanzas, SQL, sockets, clocks (they come as
arguments). To add a concept, copy `devices.py`: frozen slotted dataclasses and pure functions; its storage goes into
`ports.py` as a Protocol, its SQL into `storage/`.
"""
