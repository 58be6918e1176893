"""Invitations in memory."""

from __future__ import annotations

from dataclasses import replace

from parley.domain.accounts import Account, Credential
from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.invitations import Invitation
from parley.storage.memory.people import MemoryAccounts
from parley.storage.memory.state import Tables


class MemoryInvitations:
    """Invitations; see the port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._accounts = MemoryAccounts(tables)
        self._kept: dict[str, Invitation] = {}

    async def add(self, invitation: Invitation, limit: int) -> None:
        """Keep an invitation; see the port."""
        now = invitation.created_at
        self._kept = {key: each for key, each in self._current().items() if each.is_valid(now)}
        if invitation.inviter_id is not None:
            self._tables.account(invitation.inviter_id)
            if sum(each.inviter_id == invitation.inviter_id for each in self._kept.values()) >= limit:
                raise LimitReached("too-many-invitations")
        if invitation.address:
            if self._tables.by_address(invitation.address) is not None:
                raise Conflict("account-exists", f"there is an account {invitation.address} already")
            if await self.is_reserved(invitation.address, now):
                raise Conflict("address-reserved", f"{invitation.address} is kept for somebody else who was invited")
        self._kept[invitation.id] = invitation

    async def find(self, digest: bytes) -> Invitation | None:
        """The invitation with the token of this digest."""
        return next((each for each in self._current().values() if each.digest == digest), None)

    async def all(self, inviter_id: int | None = None) -> list[Invitation]:
        """All that are kept, the oldest first."""
        found = [each for each in self._current().values() if inviter_id in (None, each.inviter_id)]
        return sorted(found, key=lambda each: (each.created_at, each.id))

    async def is_reserved(self, address: str, now: int) -> bool:
        """Whether a valid invitation keeps the address for somebody."""
        return any(each.address == address and each.is_valid(now) for each in self._current().values())

    async def use(self, invitation_id: str) -> bool:
        """Take it up once."""
        found = self._current().get(invitation_id)
        if found is None or found.uses_left == 0:
            return False
        self._kept[invitation_id] = replace(found, uses_left=found.uses_left - 1)
        return True

    async def register(
        self, invitation_id: str, address: str, credentials: tuple[Credential, ...], now: int
    ) -> Account:
        """Open an account and take the invitation up, both or neither."""
        if self._tables.by_address(address) is not None:
            raise Conflict("account-exists", f"there is an account {address} already")
        if not await self.use(invitation_id):
            raise NotFound("invitation-not-found")
        return await self._accounts.add(address, credentials, now)

    async def revoke(self, invitation_id: str) -> bool:
        """Forget it."""
        return self._kept.pop(invitation_id, None) is not None

    def _current(self) -> dict[str, Invitation]:
        """Those whose inviter has not gone."""
        accounts = self._tables.accounts
        gone = [key for key, each in self._kept.items() if each.inviter_id not in (None, *accounts)]
        for key in gone:
            del self._kept[key]
        return self._kept
