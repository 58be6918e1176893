"""`InvitationStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.accounts import Account, Credential
from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.invitations import Invitation
from parley.storage.sqlite.accounts import add_account
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ADD = sql("invitations.add")
_FIND = sql("invitations.find")
_ALL = sql("invitations.all")
_RESERVED = sql("invitations.reserved")
_COUNT_OF = sql("invitations.count_of")
_USE = sql("invitations.use")
_FORGET_OVER = sql("invitations.forget_over")
_REVOKE = sql("invitations.revoke")
_HAS_ACCOUNT = sql("invitations.has_account")
_FIND_ACCOUNT = sql("accounts.find")


class SqliteInvitations:
    """Invitations; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, invitation: Invitation, limit: int) -> None:
        """Keep an invitation; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_FORGET_OVER, (invitation.created_at,))
            _check(connection, invitation, limit)
            connection.execute(_ADD, _row(invitation))

        await self._writer.run(change)

    async def find(self, digest: bytes) -> Invitation | None:
        """The invitation with the token of this digest."""
        row = await self._readers.run(lambda connection: connection.execute(_FIND, (digest,)).fetchone())
        return None if row is None else _invitation(row)

    async def all(self, inviter_id: int | None = None) -> list[Invitation]:
        """All that are kept, the oldest first."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL).fetchall())
        found = [_invitation(row) for row in rows]
        return [each for each in found if inviter_id is None or each.inviter_id == inviter_id]

    async def is_reserved(self, address: str, now: int) -> bool:
        """Whether a valid invitation keeps the address for somebody."""
        row = await self._readers.run(lambda connection: connection.execute(_RESERVED, (address, now)).fetchone())
        return row is not None

    async def use(self, invitation_id: str) -> bool:
        """Take it up once."""
        return await self._writer.run(lambda connection: connection.execute(_USE, (invitation_id,)).rowcount > 0)

    async def register(
        self, invitation_id: str, address: str, credentials: tuple[Credential, ...], now: int
    ) -> Account:
        """Open an account and take the invitation up, both or neither."""

        def change(connection: sqlite3.Connection) -> Account:
            account = add_account(connection, address, credentials, now)
            if connection.execute(_USE, (invitation_id,)).rowcount == 0:
                raise NotFound("invitation-not-found")
            return account

        return await self._writer.run(change)

    async def revoke(self, invitation_id: str) -> bool:
        """Forget it."""
        return await self._writer.run(lambda connection: connection.execute(_REVOKE, (invitation_id,)).rowcount > 0)


def _check(connection: sqlite3.Connection, invitation: Invitation, limit: int) -> None:
    inviter_id, address = invitation.inviter_id, invitation.address
    if inviter_id is not None:
        if connection.execute(_HAS_ACCOUNT, (inviter_id,)).fetchone() is None:
            raise NotFound("account-not-found")
        (count,) = connection.execute(_COUNT_OF, (inviter_id,)).fetchone()
        if count >= limit:
            raise LimitReached("too-many-invitations")
    if address:
        if connection.execute(_FIND_ACCOUNT, (address,)).fetchone() is not None:
            raise Conflict("account-exists", f"there is an account {address} already")
        if connection.execute(_RESERVED, (address, invitation.created_at)).fetchone() is not None:
            raise Conflict("address-reserved", f"{address} is kept for somebody else who was invited")


def _row(invitation: Invitation) -> Row:
    return (
        invitation.id,
        invitation.digest,
        invitation.domain,
        invitation.address,
        invitation.inviter_id,
        invitation.is_account,
        invitation.uses_left,
        invitation.created_at,
        invitation.expires_at,
    )


def _invitation(row: Row) -> Invitation:
    return Invitation(
        id=row[0],
        digest=row[1],
        domain=row[2],
        created_at=row[3],
        expires_at=row[4],
        address=row[5],
        inviter=row[6],
        inviter_id=row[7],
        is_account=bool(row[8]),
        uses_left=row[9],
    )
