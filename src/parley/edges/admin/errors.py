"""Errors of the local door.

AdminError
├── NotListening   no server listens there
├── Refusal        the server refused, with its own code and message
└── Broken         the conversation ended before there was an answer
"""

from __future__ import annotations

from parley.base.errors import ParleyError


class AdminError(ParleyError):
    """Root of the package's errors."""


class NotListening(AdminError):
    """No server listens there."""

    def __init__(self, path: str) -> None:
        super().__init__("server-not-listening", f"no server listens at {path}")


class Refusal(AdminError):
    """The server refused; code and message are the server's."""


class Broken(AdminError):
    """The conversation ended before there was an answer."""

    def __init__(self, message: str) -> None:
        super().__init__("server-silent", message)
