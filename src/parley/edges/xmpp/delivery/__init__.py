"""The way of a message to mailboxes, sessions, archives and sleeping phones."""
