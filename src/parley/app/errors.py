"""Errors of the program, told to the operator as they are.

AppError
├── DataInUse       another process holds the data folder
├── DataUnusable    the data folder or a file in it cannot be used
├── PortTaken       another process listens at an address of ours
└── Unwilling       a command was asked for something that it does not do; its message says what would help
"""

from __future__ import annotations

from parley.base.errors import ParleyError


class AppError(ParleyError):
    """Root of the package's errors."""


class DataInUse(AppError):
    """Another process holds the data folder."""

    def __init__(self, folder: str, holder: str) -> None:
        super().__init__("data-in-use", f"another Parley process{holder} uses {folder}")


class DataUnusable(AppError):
    """The data folder or a file in it cannot be used."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__("data-unusable", f"{path}: {reason}")


class PortTaken(AppError):
    """Another process listens at an address of ours."""

    def __init__(self, message: str) -> None:
        super().__init__("port-taken", message)


class Unwilling(AppError):
    """A command was asked for something that it does not do."""
