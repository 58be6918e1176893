"""What administrators can do, and how an account is opened: for those who ask over XMPP as for the command line.

An edge that offers this says who may ask; here nobody is asked who they are. What is done is the same whichever way it
was asked for, and each change leaves a line in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parley.domain.accounts import Account
from parley.domain.invitations import Invitation


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One line of a list of accounts. `sessions` counts those connected, or to be resumed."""

    address: str
    is_suspended: bool
    sessions: int


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What an administrator is told of an account; times are microseconds since the epoch, `last_seen` None for never.

    Nothing of it tells what anybody says, or to whom.
    """

    address: str
    created_at: int
    last_seen: int | None
    is_suspended: bool
    sessions: tuple[str, ...]
    contacts: int


@dataclass(frozen=True, slots=True)
class Wish:
    """An invitation that somebody wants to give; see `Invitation`."""

    domain: str
    lifetime_s: int
    address: str = ""
    inviter: str = ""
    is_account: bool = True
    uses: int = 1


@dataclass(frozen=True, slots=True)
class Issued:
    """An invitation with its token, which nobody can be told again. `expires_at` is microseconds since the epoch."""

    invitation: Invitation
    token: str


class Administration(Protocol):
    """The operations. Each raises `Refused` for what cannot be used, `NotFound`, `Conflict`, `StorageUnavailable`.

    `by` is the address of who asks, for the log.
    """

    async def add_account(self, address: str, password: str, by: str) -> None:
        """Create an account; raises Refused("password-unusable"), Conflict("account-exists")."""
        ...

    async def set_password(self, address: str, password: str, by: str, *, is_signing_out: bool) -> None:
        """Replace a password and, if wanted, end the account's sessions; raises Refused("password-unusable")."""
        ...

    async def set_suspended(self, address: str, is_suspended: bool, by: str) -> None:
        """Suspend an account, which ends its sessions, or let it sign in again."""
        ...

    async def remove_account(self, address: str, by: str) -> None:
        """Remove an account and all that belongs to it."""
        ...

    async def end_sessions(self, address: str, resource: str | None, by: str) -> int:
        """End sessions of an account (None: all); the device may sign in again. Returns how many."""
        ...

    async def report(self, address: str) -> AccountReport:
        """What is known of an account."""
        ...

    async def accounts(self, domain: str) -> list[AccountSummary]:
        """The accounts of a domain, by address."""
        ...

    async def invite(self, wish: Wish, by: str) -> Issued:
        """Make an invitation; raises what `InvitationStore.add` raises, Refused("registration-closed")."""
        ...

    async def open_account(self, address: str, password: str, invitation: Invitation | None) -> Account:
        """Open an account for who asks for one in-band, by an invitation or without.

        Raises Conflict("account-exists") also for a name that is kept for somebody else, Refused("password-unusable"),
        NotFound("invitation-not-found") when the invitation was used up or revoked meanwhile.
        """
        ...

    async def invitation(self, token: str) -> Invitation | None:
        """The invitation with this token, None for one that is over."""
        ...

    async def take_up(self, invitation: Invitation) -> bool:
        """Use an invitation to become a contact; False when it was used up or revoked meanwhile."""
        ...
