"""Tests that break something on purpose: the process, the power, the connection, the peer's manners."""
