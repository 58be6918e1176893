"""Tests of the HTTP edge; `harness` drives the application over ASGI without sockets."""
