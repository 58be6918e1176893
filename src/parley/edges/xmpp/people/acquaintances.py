"""Who of other servers is known to people here, and what becomes of the first words of those who are not.

Known is who is in the roster, whom the account wrote to or asked for something, or to whose room or device one of its
clients sent presence.
How many others reach an account, and how much they say, is bounded; what they say is marked for the clients:

    <stranger xmlns='urn:parley:stranger:0'/>
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.partners.strangers import StrangerLimits, StrangerThrottle
from parley.protocols.xmpp.element import insert_children, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.contacts import Roster
    from parley.domain.messages import Appended, Submission
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

NS_PARLEY_STRANGER: Final = "urn:parley:stranger:0"

_KEPT: Final = 100_000
_MARK: Final = xml("stranger", {"xmlns": NS_PARLEY_STRANGER})


class Acquaintances:
    """Tells strangers of other servers from those whom people here know."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._throttle = StrangerThrottle()
        self._cache: OrderedDict[tuple[int, str], bool] = OrderedDict()
        """Whether an account wrote to an address, as far as it is in memory."""

    def is_known(self, account: Account, sender: JID) -> bool:
        """Whether the account is known to know the sender, without asking the storage."""
        address = str(sender.bare)
        if self._cache.get((account.id, address)):
            return True
        roster = self._host.rosters.cached(account.id)
        return _is_contact(roster, address) or self._is_met(account, sender)

    async def admit(self, account: Account, sender: JID) -> bool:
        """Whether a message comes from a stranger, who may say one more.

        Raises:
            StanzaError: strangers have said enough for now.
        """
        if self.is_known(account, sender):
            return False
        address = str(sender.bare)
        if _is_contact(await self._host.rosters.get(account.id), address):
            return False
        key = (account.id, address)
        is_first = key not in self._cache
        if is_first:
            has_written = await self._host.stores.messages.has_written(account.id, address)
            self._remember(key, has_written=self._cache.get(key, False) or has_written)
        if self._cache.get(key):
            return False
        self._count(account, sender)
        if is_first:
            log.info("a stranger writes", partner=sender.domain, pii={"sender": address, "recipient": account.address})
        return True

    def admit_request(self, account: Account, sender: JID) -> bool:
        """Whether a stranger may ask for a subscription now; counts."""
        try:
            self._count(account, sender)
        except StanzaError:
            return False
        return True

    def committed(self, submission: Submission, _appended: Appended) -> None:
        """Remember whom people here write to abroad: a follower of the pipeline."""
        if submission.sender_id is not None and submission.recipient_id is None:
            self._remember((submission.sender_id, submission.recipient), has_written=True)

    def asked(self, account: Account, whom: JID) -> None:
        """An account's client sent a request abroad: what comes from there later may be what it asked for."""
        self._remember((account.id, str(whom.bare)), has_written=True)

    def _is_met(self, account: Account, sender: JID) -> bool:
        bare = sender.bare
        return any(
            jid == sender or jid.bare == bare
            for session in self._host.router.of(account.address).values()
            for jid in session.directed
        )

    def _count(self, account: Account, sender: JID) -> None:
        settings = self._host.settings.federation
        limits = StrangerLimits(
            to_account=settings.strangers_per_account_per_hour,
            of_partner=settings.strangers_per_partner_per_hour,
            messages=settings.stranger_messages_per_hour,
        )
        now = self._host.clock.monotonic()
        rule = self._throttle.take(account.id, str(sender.bare), sender.domain, limits, now)
        if rule is not None:
            self._host.metrics.refused(rule.value)
            log.info(
                "a stranger was refused",
                rule=rule.value,
                partner=sender.domain,
                pii={"sender": sender.bare, "recipient": account.address},
            )
            raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many strangers write; try again later")

    def _remember(self, key: tuple[int, str], *, has_written: bool) -> None:
        self._cache[key] = has_written
        self._cache.move_to_end(key)
        if len(self._cache) > _KEPT:
            self._cache.popitem(last=False)


def marked(stanza: bytes) -> bytes:
    """The message of a stranger, marked as such."""
    return insert_children(stanza, _MARK)


def _is_contact(roster: Roster | None, address: str) -> bool:
    contact = None if roster is None else roster.contacts.get(address)
    return contact is not None and contact.is_listed
