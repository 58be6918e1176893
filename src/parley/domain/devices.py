"""Devices: the installations through which a person uses an account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """One installation, named by its resource.

    Times are microseconds since the epoch. `has_credential` tells whether the device signs in with a credential of its
    own, and `has_token` whether it may with a token; `revoke` makes both useless. `software` is what runs on it, ""
    when it does not say; `client` the digest of the id that the installation gives itself, empty when it gives none:
    one installation may have had several resources.
    """

    account_id: int
    resource: str
    name: str
    first_seen: int
    last_seen: int
    last_address: str
    has_credential: bool
    has_token: bool = False
    software: str = ""
    client: bytes = b""
