"""Clients of ours: their connections, how they sign in, and the sessions that outlive both."""
