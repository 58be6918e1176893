"""Accounts: one address is the same person over every protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account.

    `address` is `name@domain` in normalised form, `created_at` is in microseconds since the epoch.
    """

    id: int
    address: str
    created_at: int
    is_suspended: bool = False

    @property
    def domain(self) -> str:
        """The part behind the @."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Credential:
    """What the server keeps of a secret for one SCRAM mechanism (RFC 5802 §3); the secret cannot be computed from it.

    `mechanism` is a hash name as SCRAM writes it: `SHA-1`, `SHA-256`, `SHA-512`.
    """

    mechanism: str
    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes
