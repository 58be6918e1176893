"""What operators can do with accounts and devices: one implementation, beside a running server or without one."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from parley.app import requests
from parley.app.addresses import parse_address, parse_new_address
from parley.app.inviting import Inviting, uri_of
from parley.app.partnering import Partnering, PartnerState
from parley.app.pushing import Pushing
from parley.app.reporting import Reporting
from parley.app.rooming import Rooming
from parley.domain.administration import Wish
from parley.domain.errors import NotFound

if TYPE_CHECKING:
    from parley.app.requests import Document, Request
    from parley.base.clock import Clock
    from parley.domain.accounts import Account
    from parley.domain.devices import Device
    from parley.domain.invitations import Invitation, InvitationStore
    from parley.domain.partners.agreements import Agreement
    from parley.domain.partners.ports import OutgoingQueue, PartnerStore
    from parley.domain.people.ports import BlockStore
    from parley.domain.ports import AccountStore, DeviceStore, RosterStore, UploadStore
    from parley.domain.pubsub.ports import NodeStore
    from parley.domain.push import PushStore
    from parley.domain.push_targets import PushTargetStore
    from parley.domain.rooms.ports import RoomStore
    from parley.edges.xmpp.delivery.push import Outcome


_NO_LIMIT: Final = sys.maxsize
"""Operators invite as many as they want."""


class Live(Protocol):
    """What a running server does about a change; without one there is nothing to do but to clear away files."""

    def changed(self, account: Account) -> None:
        """The account is not what it was."""
        ...

    def resources(self, address: str) -> Collection[str]:
        """The resources of the account's sessions."""
        ...

    def end(self, account: Account, resources: Collection[str] | None, reason: str) -> int:
        """End sessions (None: all) of who may no longer be here; returns how many."""
        ...

    def reset(self, account: Account, reason: str) -> int:
        """End all sessions of who has to sign in again; returns how many."""
        ...

    async def part(self, account: Account) -> None:
        """The account goes: its contacts are told that its subscriptions end."""
        ...

    async def deserted(self, account: Account, address: str) -> None:
        """The account at `address` goes: what this account and it granted each other ends."""
        ...

    def nodes_changed(self, account_id: int) -> None:
        """Other people may read the account's nodes than before."""
        ...

    async def removed(self, account: Account) -> None:
        """The account is gone; its files are to follow."""
        ...

    def occupants(self, room: str) -> Sequence[str]:
        """The nicknames of who is inside a room."""
        ...

    async def end_room(self, room: str, reason: str) -> bool:
        """Put everybody out of a room and delete it; False if there was none."""
        ...

    async def leave_rooms(self, address: str) -> None:
        """The account at `address` goes: it is nothing to any room any more."""
        ...

    async def push(self, account: Account) -> Sequence[Outcome]:
        """Wake all devices of the account and wait for what their push services say."""
        ...

    def partners_changed(self, agreements: Sequence[Agreement]) -> int:
        """From now on these agreements hold; returns how many streams that ended at once."""
        ...

    def partner_state(self, domain: str) -> PartnerState:
        """How things are with a partner now."""
        ...


class Stores(Protocol):
    """The stores that operators' requests need."""

    @property
    def accounts(self) -> AccountStore:
        """Accounts."""
        ...

    @property
    def devices(self) -> DeviceStore:
        """Devices."""
        ...

    @property
    def rosters(self) -> RosterStore:
        """Contacts."""
        ...

    @property
    def nodes(self) -> NodeStore:
        """Personal event nodes."""
        ...

    @property
    def uploads(self) -> UploadStore:
        """Uploads."""
        ...

    @property
    def invitations(self) -> InvitationStore:
        """Invitations."""
        ...

    @property
    def push(self) -> PushStore:
        """Push registrations."""
        ...

    @property
    def push_targets(self) -> PushTargetStore:
        """Devices that the push service of this server wakes."""
        ...

    @property
    def rooms(self) -> RoomStore:
        """Rooms."""
        ...

    @property
    def blocks(self) -> BlockStore:
        """Reports about who is blocked."""
        ...

    @property
    def partners(self) -> PartnerStore:
        """Agreements with partners."""
        ...

    @property
    def outgoing(self) -> OutgoingQueue:
        """What waits for partners."""
        ...


class Operations:
    """Answers requests.

    Args:
        stores: where everything is.
        clock: for the times of new accounts.
        domains: the domains in which accounts can be.
        live: what else a change means.
    """

    def __init__(self, stores: Stores, clock: Clock, domains: Collection[str], live: Live) -> None:
        self._accounts = stores.accounts
        self._devices = stores.devices
        self._rosters = stores.rosters
        self._nodes = stores.nodes
        self._push_targets = stores.push_targets
        self._uploads = stores.uploads
        self._clock = clock
        self._domains = domains
        self._live = live
        self.inviting = Inviting(stores.invitations, stores.accounts, clock, domains)
        self._handlers: dict[type[Any], Callable[[Any], Awaitable[Document]]] = {
            requests.AddUsers: self._add_users,
            requests.FindTaken: self._find_taken,
            requests.ListUsers: self._list_users,
            requests.ShowUser: self._show_user,
            requests.SetPassword: self._set_password,
            requests.SetSuspended: self._set_suspended,
            requests.RemoveUser: self._remove_user,
            requests.ListDevices: self._list_devices,
            requests.RevokeDevices: self._revoke_devices,
            requests.EndSessions: self._end_sessions,
            requests.CreateInvitation: self._create_invitation,
            requests.ListInvitations: self._list_invitations,
            requests.RevokeInvitation: self._revoke_invitation,
            **Pushing(stores.push, live, self._find).handlers,
            **Rooming(stores.rooms, live).handlers,
            **Reporting(stores.blocks).handlers,
            **Partnering(stores.partners, stores.outgoing, clock, domains, live).handlers,
        }

    async def answer(self, request: Request) -> Document:
        """Do what is asked and return what to tell.

        Raises:
            Unwilling: an address cannot be used.
            NotFound: there is no such account or device.
            Conflict: there is such an account already.
            StorageUnavailable: nothing was changed.
        """
        return await self._handlers[type(request)](request)

    async def _add_users(self, request: requests.AddUsers) -> Document:
        people = [(parse_new_address(each.address, self._domains), each.credentials) for each in request.people]
        accounts = await self._accounts.add_many(people, self._clock.now_us())
        return {"added": [account.address for account in accounts]}

    async def _find_taken(self, request: requests.FindTaken) -> Document:
        wanted = set(request.addresses)
        return {"taken": [each.address for each in await self._accounts.all() if each.address in wanted]}

    async def _list_users(self, request: requests.ListUsers) -> Document:
        accounts = await self._accounts.all(request.domain or None)
        return {"accounts": [self._account(account) for account in accounts]}

    async def _show_user(self, request: requests.ShowUser) -> Document:
        account = await self._find(request.address)
        roster = await self._rosters.load(account.id)
        credentials = await self._accounts.credentials(account.address)
        return {
            **self._account(account),
            "contacts": sum(contact.is_listed for contact in roster.contacts.values()),
            "uploads_bytes": await self._uploads.used_bytes(account.id),
            "mechanisms": [f"SCRAM-{each.mechanism}" for each in credentials],
            "devices": await self._devices_of(account),
        }

    async def _set_password(self, request: requests.SetPassword) -> Document:
        account = await self._find(request.address)
        await self._accounts.set_credentials(account.id, request.credentials)
        self._live.changed(account)
        ended = self._live.reset(account, "the password was changed") if request.is_signing_out else 0
        return {"address": account.address, "sessions_ended": ended}

    async def _set_suspended(self, request: requests.SetSuspended) -> Document:
        account = await self._find(request.address)
        await self._accounts.set_suspended(account.id, request.is_suspended)
        self._live.changed(account)
        ended = self._live.end(account, None, "the account is suspended") if request.is_suspended else 0
        return {"address": account.address, "is_suspended": request.is_suspended, "sessions_ended": ended}

    async def _remove_user(self, request: requests.RemoveUser) -> Document:
        account = await self._find(request.address)
        # First nobody can sign in any more, so that nothing comes in while the rest goes.
        await self._accounts.set_suspended(account.id, True)
        self._live.changed(account)
        # Its devices are still there, so that contacts see them go first (RFC 6121 §3.2.2).
        await self._live.part(account)
        ended = self._live.end(account, None, "the account was removed")
        await self._end_subscriptions(account)
        await self._end_affiliations(account)
        await self._accounts.remove(account.id)
        self._live.changed(account)
        await self._live.removed(account)
        return {"address": account.address, "sessions_ended": ended}

    async def _end_subscriptions(self, account: Account) -> None:
        watching = set(await self._rosters.watchers(account.address))
        for other in await self._accounts.all():
            if other.id in watching:
                await self._live.deserted(other, account.address)

    async def _end_affiliations(self, account: Account) -> None:
        for account_id in await self._nodes.disaffiliate(account.address):
            self._live.nodes_changed(account_id)
        await self._push_targets.forget(account.address)
        await self._live.leave_rooms(account.address)

    async def _list_devices(self, request: requests.ListDevices) -> Document:
        account = await self._find(request.address)
        return {"address": account.address, "devices": await self._devices_of(account)}

    async def _revoke_devices(self, request: requests.RevokeDevices) -> Document:
        account = await self._find(request.address)
        if request.resources is None:
            resources = await self._devices.revoke_all(account.id)
            ended = self._live.end(account, None, "the device was revoked")
            return {"address": account.address, "revoked": sorted(resources), "sessions_ended": ended}
        known = {device.resource for device in await self._devices.all(account.id)}
        known.update(self._live.resources(account.address))
        for resource in request.resources:
            if resource not in known:
                raise NotFound("device-not-found", f"{account.address} has no device {resource!r}")
        for resource in request.resources:
            await self._devices.revoke(account.id, resource)
        ended = self._live.end(account, request.resources, "the device was revoked")
        return {"address": account.address, "revoked": sorted(request.resources), "sessions_ended": ended}

    async def _end_sessions(self, request: requests.EndSessions) -> Document:
        account = await self._find(request.address)
        ended = self._live.end(account, request.resources, "an administrator ended the session")
        return {"address": account.address, "sessions_ended": ended}

    async def _create_invitation(self, request: requests.CreateInvitation) -> Document:
        wish = Wish(
            domain=request.domain,
            lifetime_s=request.lifetime_s,
            address=request.address,
            inviter=request.inviter,
            is_account=request.is_account,
            uses=request.uses,
        )
        issued = await self.inviting.issue(wish, _NO_LIMIT)
        return {**_invitation(issued.invitation), "uri": uri_of(issued)}

    async def _list_invitations(self, _request: requests.ListInvitations) -> Document:
        return {"invitations": [_invitation(each) for each in await self.inviting.all()]}

    async def _revoke_invitation(self, request: requests.RevokeInvitation) -> Document:
        await self.inviting.revoke(request.id)
        return {"revoked": request.id}

    async def _find(self, text: str) -> Account:
        address = parse_address(text)
        account = await self._accounts.find(address)
        if account is None:
            raise NotFound("account-not-found", f"there is no account {address}")
        return account

    def _account(self, account: Account) -> Document:
        return {
            "address": account.address,
            "created_at": _stamp(account.created_at),
            "is_suspended": account.is_suspended,
            "sessions": len(self._live.resources(account.address)),
        }

    async def _devices_of(self, account: Account) -> list[Document]:
        connected = self._live.resources(account.address)
        return [_device(device, device.resource in connected) for device in await self._devices.all(account.id)]


def _device(device: Device, is_connected: bool) -> Document:
    return {
        "resource": device.resource,
        "name": device.name,
        "first_seen": _stamp(device.first_seen),
        "last_seen": _stamp(device.last_seen),
        "last_address": device.last_address,
        "software": device.software,
        "has_credential": device.has_credential,
        "has_token": device.has_token,
        "is_connected": is_connected,
    }


def _invitation(invitation: Invitation) -> Document:
    return {
        "id": invitation.id,
        "domain": invitation.domain,
        "address": invitation.address,
        "inviter": invitation.inviter,
        "opens_account": invitation.is_account,
        "uses_left": invitation.uses_left,
        "created_at": _stamp(invitation.created_at),
        "expires_at": _stamp(invitation.expires_at),
    }


def _stamp(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
