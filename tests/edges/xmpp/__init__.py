"""Tests of the XMPP edge: `wires.py` drives it by streams without sockets, `harness.py` by bound sessions."""
