"""What the archives of people here keep of a message (XEP-0441 §2.3), known without waiting for the common one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.archive.preferences import Keep

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.archive.preferences import Archiving
    from parley.edges.xmpp.people.rosters import Rosters


class Keeping:
    """Preferences applied to messages.

    Args:
        archiving: what accounts chose.
        rosters: who is a contact, for those that keep what is from and to contacts.
    """

    def __init__(self, archiving: Archiving, rosters: Rosters) -> None:
        self._archiving = archiving
        self._rosters = rosters

    def is_known(self, *accounts: Account | None) -> bool:
        """Whether `keeps` can answer for these accounts; None stands for somebody elsewhere."""
        for account in accounts:
            if account is not None:
                chosen = self._archiving.cached(account.id)
                if chosen is None or (chosen.default is Keep.ROSTER and self._rosters.cached(account.id) is None):
                    return False
        return True

    async def load(self, *accounts: Account | None) -> None:
        """Make it known."""
        for account in accounts:
            if account is not None and (await self._archiving.get(account.id)).default is Keep.ROSTER:
                await self._rosters.get(account.id)

    def keeps(self, account: Account | None, peer: str, device: str) -> bool:
        """Whether an account's archive keeps a message from or to `device` of the bare address `peer`.

        What a person notes to themself is kept like what is from a contact. What is not known is kept.
        """
        chosen = None if account is None else self._archiving.cached(account.id)
        if account is None or chosen is None or chosen.is_everything:
            return True

        def is_contact() -> bool:
            roster = self._rosters.cached(account.id)
            contact = None if roster is None else roster.contacts.get(peer)
            return roster is None or peer == account.address or (contact is not None and contact.is_listed)

        return chosen.keeps(peer, device, is_contact)
