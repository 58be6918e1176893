"""Devices: the installations through which a person uses an account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """One installation, named by its resource.

    Times are microseconds since the epoch. `has_credential` tells whether the device signs in with a credential of its
    own, which `revoke` makes useless.
    """

    account_id: int
    resource: str
    name: str
    first_seen: int
    last_seen: int
    last_address: str
    has_credential: bool
