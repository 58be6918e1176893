"""Invitations as operators and clients give them."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from parley.app.addresses import parse_address, parse_new_address
from parley.app.errors import Unwilling
from parley.domain.administration import Issued, Wish
from parley.domain.errors import NotFound
from parley.domain.invitations import Invitation, digest_of, id_of
from parley.protocols.xmpp.registration import account_uri, contact_uri

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.domain.invitations import InvitationStore
    from parley.domain.ports import AccountStore

# XEP-0379 §5.1: 80 bits or more, in characters that need no escape in an address. 26 of 32 make 130 bits.
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_TOKEN_CHARS: Final = 26


class Inviting:
    """Makes, lists and revokes invitations.

    Args:
        invitations: where they are.
        accounts: whose people invite.
        clock: when they are over.
        domains: where accounts can be.
    """

    def __init__(
        self, invitations: InvitationStore, accounts: AccountStore, clock: Clock, domains: Collection[str]
    ) -> None:
        self._invitations = invitations
        self._accounts = accounts
        self._clock = clock
        self._domains = domains

    async def issue(self, wish: Wish, limit: int) -> Issued:
        """Make an invitation; `limit` is how many open ones its inviter may have.

        Raises:
            Unwilling: an address cannot be used.
            NotFound, Conflict, LimitReached: see `InvitationStore.add`.
        """
        if wish.domain not in self._domains:
            raise Unwilling("address-foreign", f"{wish.domain} is not served here, only {', '.join(self._domains)}")
        address = parse_new_address(wish.address, self._domains) if wish.address else ""
        if address and address.rpartition("@")[2] != wish.domain:
            raise Unwilling("address-foreign", f"{address} is not in {wish.domain}")
        inviter_id = None
        if wish.inviter:
            inviter = await self._accounts.find(parse_address(wish.inviter))
            if inviter is None:
                raise NotFound("account-not-found", f"there is no account {wish.inviter}")
            inviter_id = inviter.id
        elif not wish.is_account:
            raise Unwilling("invitation-empty", "an invitation opens an account, or comes from somebody")
        token = "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_CHARS))
        digest, now = digest_of(token), self._clock.now_us()
        invitation = Invitation(
            id=id_of(digest),
            digest=digest,
            domain=wish.domain,
            created_at=now,
            expires_at=now + wish.lifetime_s * 1_000_000,
            address=address,
            inviter=wish.inviter and parse_address(wish.inviter),
            inviter_id=inviter_id,
            is_account=wish.is_account,
            uses_left=wish.uses,
        )
        await self._invitations.add(invitation, limit)
        return Issued(invitation, token)

    async def all(self) -> list[Invitation]:
        """Those that can be taken up still."""
        now = self._clock.now_us()
        return [each for each in await self._invitations.all() if each.is_valid(now)]

    async def revoke(self, invitation_id: str) -> None:
        """Forget one; raises NotFound("invitation-not-found")."""
        if not await self._invitations.revoke(invitation_id):
            raise NotFound("invitation-not-found", f"there is no invitation {invitation_id}")


def uri_of(issued: Issued) -> str:
    """The address that an invitation is handed on as (XEP-0401 §4)."""
    invitation, token = issued.invitation, issued.token
    if invitation.inviter and not invitation.address:
        return contact_uri(invitation.inviter, token, is_account=invitation.is_account)
    return account_uri(invitation.address or invitation.domain, token)
