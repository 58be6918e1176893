"""Opening an account from a client that has not signed in (XEP-0077 §3.1), with an invitation (XEP-0445) or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.base.net.peers import network_of
from parley.domain.errors import DomainError
from parley.edges.xmpp.people.befriending import befriend
from parley.edges.xmpp.refusals import stanza_error
from parley.identity.throttle import Throttle
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import (
    JIDError,
    RemoteProtocolError,
    StanzaCondition,
    StanzaError,
    error_reply,
)
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_REGISTER
from parley.protocols.xmpp.registration import INVITED_OFFER, OFFER, fields, parse_submission, token_of

if TYPE_CHECKING:
    from parley.base.config import Settings
    from parley.domain.invitations import Invitation
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element

MOST_REQUESTS: Final = 20
"""Requests on one stream; then it ends."""

_WINDOW_S: Final = 3600.0
_INSTRUCTIONS: Final = "Choose a name and a password."


def offers(settings: Settings) -> bytes:
    """The stream features that say how an account is opened; nothing where none is."""
    kind = settings.xmpp.registration
    if kind == "closed":
        return b""
    # Clients that follow an invitation look for both (XEP-0445 §3).
    return INVITED_OFFER + OFFER


class Attempts:
    """Counts accounts opened, and attempts that failed, by network address; all streams together."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._by_peer = Throttle(host.settings.xmpp.registrations_per_address, _WINDOW_S, host.clock.monotonic)

    def check(self, peer: str) -> None:
        """Raises StanzaError when the address has to wait."""
        self._by_peer.limit = self._host.settings.xmpp.registrations_per_address
        if self._by_peer.retry_after_s(network_of(peer)) > 0:
            raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many accounts from this address, try later")

    def count(self, peer: str) -> None:
        """One more."""
        self._by_peer.failed(network_of(peer))


class Registration:
    """The requests of one stream."""

    def __init__(self, host: Host, domain: str, peer: str) -> None:
        self._host = host
        self._domain = domain
        self._peer = peer
        self._invitation: Invitation | None = None
        self.requests = 0

    async def answer(self, element: Element) -> bytes:
        """The iq that answers `element`, a result or an error."""
        self.requests += 1
        try:
            result = await self._answer(element)
        except (DomainError, RemoteProtocolError) as error:
            refused = stanza_error(error)
            self._host.metrics.refused(refused.code)
            return error_reply(element, refused, element.to or self._domain)
        return xml("iq", {"type": "result", "id": element.id, "from": element.to or self._domain}, result)

    async def _answer(self, element: Element) -> bytes:
        if not element.id:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "a request has an id")
        is_closed = self._host.settings.xmpp.registration == "closed"
        if is_closed or (element.to and element.to != self._domain):
            # XEP-0077 §3.1: nobody registers here.
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        child = element.children[0]
        tree = element.child_tree(child)
        if child.namespace != NS_REGISTER:
            await self._take_invitation(element.type or "", token_of(tree))
            return b""
        if element.type == "get":
            address = self._invitation.address if self._invitation is not None else ""
            return fields(_INSTRUCTIONS, address.partition("@")[0])
        submission = parse_submission(tree)
        if submission.is_removal:
            # §3.2: who has not signed in is nobody who could be removed.
            raise StanzaError(StanzaCondition.REGISTRATION_REQUIRED)
        await self._register(submission.username, submission.password)
        return b""

    async def _take_invitation(self, kind: str, token: str) -> None:
        if kind != "set":
            raise StanzaError(StanzaCondition.BAD_REQUEST)
        attempts = self._host.memory(Attempts)
        attempts.check(self._peer)
        invitation = await self._host.administration.invitation(token) if token else None
        if invitation is None or not invitation.is_account or invitation.domain != self._domain:
            attempts.count(self._peer)
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "the provided token is invalid or expired")
        # XEP-0445 §4: that it expires is looked at here and not again; it is used up by the registration only.
        self._invitation = invitation

    async def _register(self, username: str | None, password: str | None) -> None:
        if not username or not password:
            # §3.1.1: the information is incomplete.
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a name and a password are needed")
        invitation = self._invitation
        if invitation is None and self._host.settings.xmpp.registration != "open":
            raise StanzaError(StanzaCondition.FORBIDDEN, "an invitation is needed")
        try:
            address = str(JID.parse(f"{username}@{self._domain}"))
        except JIDError as error:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "this name cannot be used") from error
        if address.rpartition("@")[2] != self._domain or "@" in username:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "this name cannot be used")
        if invitation is not None and invitation.address not in ("", address):
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the invitation is for another name")
        attempts = self._host.memory(Attempts)
        attempts.check(self._peer)
        # Before it is known how it ends: a name that is taken tells who has an account.
        attempts.count(self._peer)
        account = await self._host.administration.open_account(address, password, invitation)
        self._invitation = None
        if invitation is not None and invitation.inviter:
            inviter = await self._host.stores.directory.find(invitation.inviter)
            if inviter is not None:
                # XEP-0401 §5.5: who invited sees the new account at once.
                await befriend(self._host, inviter, account)
