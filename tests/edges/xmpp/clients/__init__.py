"""Signing in, streams and sessions."""
