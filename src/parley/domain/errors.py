"""Errors of the domain.

DomainError
├── Refused              a stage of the pipeline or a rule said no; `code` tells which
├── NotFound             the named thing does not exist
├── Conflict             the named thing exists already, or its state forbids the change
├── LimitReached         a configured bound would be passed
└── StorageUnavailable   nothing was stored
    └── StorageFull      the disk or the quota is full
"""

from __future__ import annotations


class DomainError(Exception):
    """Root of the package's errors. `code` is stable and kebab-case; the message is for the log."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class Refused(DomainError):
    """A stage of the pipeline refused."""


class NotFound(DomainError):
    """The named thing does not exist."""


class Conflict(DomainError):
    """The named thing exists already, or its state forbids the change."""


class LimitReached(DomainError):
    """A configured bound would be passed."""


class StorageUnavailable(DomainError):
    """The storage failed; nothing of the operation was stored."""


class StorageFull(StorageUnavailable):
    """The disk is full; nothing of the operation was stored."""
