"""Clients of several people, a room, and a server that dies: what every device is to know at the end."""
