"""The port `Administration` on the operations that the command line uses: what is asked over XMPP does the same."""

from __future__ import annotations

import asyncio
import os
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Final

from parley.app import requests
from parley.app.addresses import parse_new_address
from parley.app.errors import Unwilling
from parley.base import log as logs
from parley.domain.administration import AccountReport, AccountSummary, Issued, Wish
from parley.domain.errors import Conflict, Refused
from parley.domain.invitations import digest_of
from parley.identity.sign_in import credentials_for
from parley.protocols.xmpp.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parley.app.operations import Operations, Stores
    from parley.app.requests import Document, Request
    from parley.base.clock import Clock
    from parley.base.config import Settings
    from parley.domain.accounts import Account, Credential
    from parley.domain.invitations import Invitation

    Hashing = Callable[[str, int], Awaitable[tuple[Credential, ...]]]

log = logs.get(__name__)

_HASHED_AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)


class Administrators:
    """See `parley.domain.administration.Administration`.

    Args:
        operations: answer.
        stores: where accounts are opened.
        settings: returns those in force.
        clock: for the times of new accounts.
        hashing: makes credentials of a password and a number of rounds, without blocking; raises PayloadError.
    """

    def __init__(
        self,
        operations: Operations,
        stores: Stores,
        settings: Callable[[], Settings],
        clock: Clock,
        hashing: Hashing | None = None,
    ) -> None:
        self._operations = operations
        self._accounts = stores.accounts
        self._invitations = stores.invitations
        self._settings = settings
        self._clock = clock
        self._hashing = hashing or _Threads().hashed

    async def add_account(self, address: str, password: str, by: str) -> None:
        """Create an account."""
        credentials = await self._hashed(password)
        await self._do(requests.AddUsers((requests.Person(address, credentials),)), by, address)

    async def set_password(self, address: str, password: str, by: str, *, is_signing_out: bool) -> None:
        """Replace a password."""
        credentials = await self._hashed(password)
        await self._do(requests.SetPassword(address, credentials, is_signing_out), by, address)

    async def set_suspended(self, address: str, is_suspended: bool, by: str) -> None:
        """Suspend an account, or let it sign in again."""
        await self._do(requests.SetSuspended(address, is_suspended), by, address)

    async def remove_account(self, address: str, by: str) -> None:
        """Remove an account."""
        await self._do(requests.RemoveUser(address), by, address)

    async def end_sessions(self, address: str, resource: str | None, by: str) -> int:
        """End sessions."""
        resources = None if resource is None else (resource,)
        document = await self._do(requests.EndSessions(address, resources), by, address)
        return int(document["sessions_ended"])

    async def report(self, address: str) -> AccountReport:
        """What is known of an account."""
        found = await self._answer(requests.ShowUser(address))
        seen = [_time_us(device["last_seen"]) for device in found["devices"]]
        return AccountReport(
            address=found["address"],
            created_at=_time_us(found["created_at"]),
            last_seen=max(seen, default=None),
            is_suspended=found["is_suspended"],
            sessions=tuple(device["resource"] for device in found["devices"] if device["is_connected"]),
            contacts=found["contacts"],
        )

    async def accounts(self, domain: str) -> list[AccountSummary]:
        """The accounts of a domain."""
        found = await self._answer(requests.ListUsers(domain))
        return [AccountSummary(each["address"], each["is_suspended"], each["sessions"]) for each in found["accounts"]]

    async def invite(self, wish: Wish, by: str) -> Issued:
        """Make an invitation."""
        settings = self._settings()
        if wish.is_account and settings.xmpp.registration == "closed":
            raise Refused("registration-closed", "nobody may open an account from a client")
        try:
            issued = await self._operations.inviting.issue(wish, settings.invitations.max_per_account)
        except Unwilling as error:
            raise Refused(error.code, str(error)) from error
        log.info("invited", invitation=issued.invitation.id, pii={"by": by, "address": wish.address})
        return issued

    async def open_account(self, address: str, password: str, invitation: Invitation | None) -> Account:
        """Open an account for who asks for one in-band."""
        try:
            address = parse_new_address(address, self._settings().domains)
        except Unwilling as error:
            raise Refused(error.code, str(error)) from error
        now = self._clock.now_us()
        is_own = invitation is not None and invitation.address == address
        # Who takes an administrator's address becomes one: only somebody who was invited to it may.
        is_kept = address in self._settings().admins or await self._invitations.is_reserved(address, now)
        if is_kept and not is_own:
            raise Conflict("account-exists", f"{address} is kept for somebody else")
        if await self._accounts.find(address) is not None:
            # Before the password is hashed, which is what costs.
            raise Conflict("account-exists", f"there is an account {address} already")
        credentials = await self._hashed(password)
        if invitation is None:
            account = await self._accounts.add(address, credentials, now)
        else:
            account = await self._invitations.register(invitation.id, address, credentials, now)
        used = "" if invitation is None else invitation.id
        log.info("an account was opened", invitation=used, pii={"address": address})
        return account

    async def invitation(self, token: str) -> Invitation | None:
        """The invitation with this token."""
        found = await self._invitations.find(digest_of(token))
        return found if found is not None and found.is_valid(self._clock.now_us()) else None

    async def take_up(self, invitation: Invitation) -> bool:
        """Use an invitation to become a contact."""
        return await self._invitations.use(invitation.id)

    async def _do(self, request: Request, by: str, address: str) -> Document:
        """Do what changes something, and say so in the log."""
        document = await self._answer(request)
        log.info("administration", operation=request.kind, pii={"by": by, "address": address})
        return document

    async def _answer(self, request: Request) -> Document:
        try:
            return await self._operations.answer(request)
        except Unwilling as error:
            raise Refused(error.code, str(error)) from error

    async def _hashed(self, password: str) -> tuple[Credential, ...]:
        try:
            return await self._hashing(password, self._settings().login.scram_iterations)
        except PayloadError as error:
            raise Refused("password-unusable", str(error)) from error


class _Threads:
    """Hashes in threads, a few at a time: many new accounts wait their turn and leave others the machine."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_HASHED_AT_ONCE)

    async def hashed(self, password: str, iterations: int) -> tuple[Credential, ...]:
        async with self._turns:
            return await asyncio.to_thread(credentials_for, password, iterations, secrets.token_bytes)


def _time_us(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp()) * 1_000_000
