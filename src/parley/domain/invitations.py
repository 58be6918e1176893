"""Invitations: who may open an account here, or become somebody's contact, without being asked again.

An invitation is a random token that travels outside of the server (XEP-0401, XEP-0379). The server keeps its digest
only: who reads the database cannot use it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from parley.domain.accounts import Account, Credential

ID_CHARS = 12
"""Characters of an invitation's id."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation. Times are microseconds since the epoch.

    `id` names it in lists and is no secret. `address` is the one account that may be opened with it, "" for any name in
    `domain`. `inviter` is the address of who becomes a contact of whoever takes it up, "" for nobody; `inviter_id` is
    the account behind it. `is_account` tells whether an account may be opened with it.
    """

    id: str
    digest: bytes
    domain: str
    created_at: int
    expires_at: int
    address: str = ""
    inviter: str = ""
    inviter_id: int | None = None
    is_account: bool = True
    uses_left: int = 1

    def is_valid(self, now: int) -> bool:
        """Whether it may still be taken up."""
        return self.uses_left > 0 and now < self.expires_at


def digest_of(token: str) -> bytes:
    """What is kept of a token: its SHA-256. Tokens are random, so that nothing slower is needed."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def id_of(digest: bytes) -> str:
    """The id of the invitation with this digest; nothing of the token can be computed from it."""
    return hashlib.sha256(b"id" + digest).hexdigest()[:ID_CHARS]


class InvitationStore(Protocol):
    """Invitations. Those that are over are forgotten when new ones come."""

    async def add(self, invitation: Invitation, limit: int) -> None:
        """Keep an invitation, and forget those over at its `created_at`.

        Raises LimitReached("too-many-invitations") when its inviter has `limit` already (operators have no limit),
        Conflict("address-reserved") when another one is for the same address, Conflict("account-exists"), and
        NotFound("account-not-found") when the inviter is gone.
        """
        ...

    async def find(self, digest: bytes) -> Invitation | None:
        """The invitation with the token of this digest, whether or not it may still be taken up."""
        ...

    async def all(self, inviter_id: int | None = None) -> list[Invitation]:
        """All that are kept (of one inviter), the oldest first."""
        ...

    async def is_reserved(self, address: str, now: int) -> bool:
        """Whether a valid invitation keeps the address for somebody."""
        ...

    async def use(self, invitation_id: str) -> bool:
        """Take it up once; False when it was used up or revoked meanwhile."""
        ...

    async def register(
        self, invitation_id: str, address: str, credentials: tuple[Credential, ...], now: int
    ) -> Account:
        """Open an account and take the invitation up, both or neither.

        Raises Conflict("account-exists"), NotFound("invitation-not-found") when it was used up or revoked meanwhile.
        """
        ...

    async def revoke(self, invitation_id: str) -> bool:
        """Forget it; False if there was none."""
        ...
