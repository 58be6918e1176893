"""Tokens: what an installation signs in with instead of a password, once it has shown the password.

A token is computed from the server's secret and from what is kept of it here, so that who reads the database alone
cannot use it; see `identity/tokens.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of one token. Times are microseconds since the epoch.

    `client` is the digest of the installation's id, `nonce` what makes the token another one than all others.
    `resource` is the device that alone may sign in with it, "" when the resource is free. `count` is the highest number
    that came with a use; `is_used` tells whether it ever was used.
    """

    account_id: int
    client: bytes
    nonce: bytes
    mechanism: str
    resource: str
    created_at: int
    expires_at: int
    count: int = 0
    is_used: bool = False


class TokenStore(Protocol):
    """Tokens. An installation has at most one that it used and one that it has not used yet."""

    async def find(self, address: str, client: bytes) -> list[Token]:
        """The tokens of an installation, expired ones too, the newest first; none for an unknown address."""
        ...

    async def issue(self, token: Token) -> bool:
        """Keep a new token, and forget an earlier one that its installation never used.

        False, and nothing is kept, when no device of the account is known to be that installation: a token belongs to
        a device that can be revoked.
        """
        ...

    async def use(self, token: Token, count: int | None) -> bool:
        """The installation has signed in with a token: its older ones are forgotten.

        False when it must not be let in: the token was revoked meanwhile, or `count` is not above every earlier one.
        """
        ...

    async def forget(self, account_id: int, client: bytes) -> None:
        """Forget the tokens of an installation."""
        ...
