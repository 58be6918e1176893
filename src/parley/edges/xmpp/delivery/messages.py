"""Messages: into the pipeline, out to sessions (RFC 6121 §5 and §8.5, XEP-0160, XEP-0280)."""

from __future__ import annotations

import asyncio
import copy
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from parley.domain.errors import StorageUnavailable
from parley.domain.messages import Appended, Outgoing, Retraction, Submission
from parley.edges.xmpp.delivery.carbons import Carbons, inside, send_copies
from parley.edges.xmpp.delivery.decoration import with_stanza_id
from parley.edges.xmpp.delivery.tombstones import tombstone
from parley.edges.xmpp.delivery.traits import NS_MUC_USER, NS_RETRACT, Traits, kind_of, traits_of
from parley.edges.xmpp.extension import Inbound
from parley.edges.xmpp.people.acquaintances import marked
from parley.edges.xmpp.people.blocking import check_inbound
from parley.edges.xmpp.refusals import stanza_error
from parley.protocols.xmpp.builder import split_tag
from parley.protocols.xmpp.element import Child, Element, restamp
from parley.protocols.xmpp.errors import JIDError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CARBONS, NS_CHAT_MARKERS, NS_DATA, NS_STANZA_IDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.origin import Origin

_MUC_USER: Final = NS_MUC_USER.encode()
_NEVER_MAILED: Final = frozenset({"headline", "groupchat", "error"})
_ID: Final = re.compile(rb"""\sid\s*=\s*("[^"]*"|'[^']*')""")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with what was read off it. `origin` is None for what the server or a service of it writes."""

    origin: Origin | None
    sender: JID
    element: Element
    to: JID
    kind: str
    traits: Traits
    is_strange: bool = False
    """Whether its sender is a stranger to its recipient (see `people/acquaintances.py`)."""

    def stamped(self, element: Element) -> bytes:
        """The message as it goes on."""
        if self.origin is None:
            return restamp(element, from_=str(self.sender), to=str(self.to))
        stanza = self.origin.stamped(element, to=str(self.to))
        return marked(stanza) if self.is_strange else stanza

    @property
    def author(self) -> Account | None:
        """The account of ours that wrote it."""
        return None if self.origin is None else self.origin.owner


class Messages:
    """Takes messages from wherever they come and delivers them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.carbons = Carbons(host)
        self._assistants = {key: each for extension in host.extensions for key, each in extension.assistants.items()}

    def receive(self, origin: Origin, element: Element, token: int) -> bool:
        """Handle a message; False when it must wait for others on their way to the log.

        Raises:
            StanzaError: it cannot be delivered; RemoteProtocolError: it is malformed.
        """
        letter = self._read(origin, element)
        traits, author = letter.traits, letter.author
        # Assistance waits too, so that it is given once.
        if (traits.assists or not traits.is_mailed) and origin.is_waiting_for_log:
            return False
        if origin.expected_again and traits.is_mailed and origin.is_again(self._stamped(letter)):
            origin.handled(token)
            return True
        if traits.assists and author is not None and origin.assisted is not element:
            # What is acknowledged is committed, this too: the message has its turn again when it is.
            origin.assisted = element
            origin.run(self._assist(element, author), element, 0)
            return False
        origin.assisted = None
        if self._host.router.is_account(letter.to):
            return self._to_person(letter, origin, token)
        return self._elsewhere(letter, origin, token)

    def _read(self, origin: Origin, element: Element) -> Letter:
        sender = origin.sender(element)
        to = JID.parse(element.to) if element.to else sender.bare
        kind = kind_of(element)
        traits = traits_of(element, kind)
        if traits.is_of_room and origin.owner is None and sender.is_full:
            # XEP-0280 §6.1: what an occupant of a room says in private the room sends to all devices that are in it.
            traits = replace(traits, is_copied=False)
        if traits.assists and origin.owner is not None:
            # XEP-0490 §5.2: it MUST be stripped before the message is stored, copied or sent on.
            element = self._without_assistance(element)
        return Letter(origin, sender, element, to, kind, traits)

    def _to_person(self, letter: Letter, origin: Origin, token: int) -> bool:
        """For an account, or an address that one of ours could have."""
        host, sender, to, traits = self._host, letter.sender, letter.to, letter.traits
        if letter.kind == "normal" and to.is_full and host.router.find(to) is None:
            # RFC 6121 §8.5.3.2.1: not one for the account, as a chat would be; its sender is told.
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        address = str(to.bare)
        recipient = host.stores.directory.cached(address)
        own = str(sender.bare) if origin.owner is None else origin.owner.address
        blocks = None if recipient is None else host.blocking.known(recipient.id)
        if blocks and recipient is not None:
            check_inbound(blocks, recipient, sender)
        is_known = blocks is not None and host.conversations.is_known(own, address)
        if is_known and traits.is_mailed:
            is_known = host.keeping.is_known(origin.owner, recipient)
        is_form = own == address and letter.element.has(NS_DATA, "x")
        if recipient is not None and is_known and not is_form and not self._may_be_strange(letter, recipient):
            self._accept(letter, origin, token, recipient)
            return True
        if origin.is_waiting_for_log:
            return False
        origin.run(self._own_form(letter) if is_form else self._find_first(letter), letter.element, token)
        return True

    async def _assist(self, element: Element, author: Account) -> None:
        """What is in a message for its sender's server alone is done before it goes on."""
        for child in element.children:
            assist = self._assistants.get((child.namespace, child.name))
            if assist is not None:
                await assist(self._host, author, element, child)

    def _may_be_strange(self, letter: Letter, recipient: Account) -> bool:
        # Typing and the like say nothing.
        if letter.origin is None or not letter.origin.is_partner:
            return False
        has_words = letter.traits.is_mailed or letter.kind in _NEVER_MAILED
        return has_words and not self._host.acquaintances.is_known(recipient, letter.sender)

    def _elsewhere(self, letter: Letter, origin: Origin, token: int) -> bool:
        """Not for a person of ours."""
        router, to = self._host.router, letter.to
        if not router.is_local(to):
            may_overtake = letter.traits.is_mailed and self._host.keeping.is_known(letter.author)
            if origin.is_waiting_for_log and not may_overtake:
                return False
            self._send_abroad(letter, origin, token)
        elif not router.service(to.domain):
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        elif origin.is_waiting_for_log:
            return False
        else:
            inbound = Inbound(self._host, origin, letter.element, letter.sender, to)
            origin.run(self._at_service(letter, inbound), letter.element, token)
        return True

    async def _at_service(self, letter: Letter, inbound: Inbound) -> None:
        await self._host.services.message(inbound)
        if letter.author is None or not letter.traits.is_copied or not letter.to.is_full:
            return
        others = self.carbons.sessions(letter.author.address, self._own(letter))
        copies = inside(others, str(letter.to.bare))
        if copies:
            send_copies("sent", self._stamped(letter), copies)

    def _send_abroad(self, letter: Letter, origin: Origin, token: int) -> None:
        way = self._host.abroad(letter.to.domain)
        if letter.traits.is_mailed and letter.author is not None:
            # Into the author's archive, and to what waits for partners; it leaves when it is committed.
            if way is self._host.federation:
                self._host.federation.check(letter.element.raw, letter.sender, letter.to)
            if self._host.keeping.is_known(letter.author):
                self._accept(letter, origin, token, None)
            else:
                origin.run(self._commit(letter, None), letter.element, token)
            return
        stanza = self._stamped(letter)
        way.send(stanza, letter.sender, letter.to)
        if letter.traits.is_copied and letter.author is not None:
            self._copy_sent(letter, stanza)
        origin.handled(token)

    async def deliver(self, element: Element, sender: JID, to: JID) -> None:
        """Take a message of the server or a service of it to a person of ours. Raises as `receive`, and when it
        could not be stored."""
        kind = kind_of(element)
        await self._find_first(Letter(None, sender, element, to, kind, traits_of(element, kind)))

    async def _own_form(self, letter: Letter) -> None:
        """A form that somebody sends to the own account may be for the account itself."""
        owner = letter.author
        for extension in self._host.extensions if owner is not None else ():
            take = extension.on_own_form
            if owner is not None and take is not None and await take(self._host, owner, letter.element):
                return
        await self._find_first(letter)

    async def _find_first(self, letter: Letter) -> None:
        recipient = await self._host.stores.directory.find(str(letter.to.bare))
        if recipient is None:
            # RFC 6121 §8.5.1. Who writes learns by it that there is no such account, rather than wait for an answer.
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        check_inbound(await self._host.blocking.get(recipient.id), recipient, letter.sender)
        if self._may_be_strange(letter, recipient):
            is_strange = await self._host.acquaintances.admit(recipient, letter.sender)
            letter = replace(letter, is_strange=is_strange)
        await self._host.conversations.load(str(letter.sender.bare), recipient.address)
        if letter.traits.is_mailed:
            await self._commit(letter, recipient)
        else:
            self._pass_on(letter, recipient)

    async def _commit(self, letter: Letter, recipient: Account | None) -> None:
        await self._host.keeping.load(letter.author, recipient)
        started = self._host.clock.monotonic()
        done = asyncio.get_running_loop().create_future()
        submission = self._submission(letter, recipient)
        self._host.pipeline.accept(submission, done.set_result)
        outcome = await done
        if isinstance(outcome, StorageUnavailable):
            raise outcome
        self._host.journal.committed(outcome.seq)
        self._host.metrics.delivered(self._host.clock.monotonic() - started)

    def _accept(self, letter: Letter, origin: Origin, token: int, recipient: Account | None) -> None:
        if not letter.traits.is_mailed and recipient is not None:
            self._pass_on(letter, recipient)
            origin.handled(token)
            return
        started = self._host.clock.monotonic()
        submission = self._submission(letter, recipient)

        def done(outcome: Appended | StorageUnavailable) -> None:
            if isinstance(outcome, StorageUnavailable):
                origin.reply_error(letter.element, stanza_error(outcome))
            else:
                self._host.metrics.delivered(self._host.clock.monotonic() - started)
                self._host.journal.committed(outcome.seq)
            origin.committed(token)

        origin.in_flight()
        try:
            self._host.pipeline.accept(submission, done)
        except Exception:
            # Whatever it is, the origin must not wait for a message that is not on its way.
            origin.not_in_flight()
            raise

    def _submission(self, letter: Letter, recipient: Account | None) -> Submission:
        sender, to, traits, author = letter.sender, letter.to, letter.traits, letter.author
        own = str(sender.bare) if author is None else author.address
        peer = str(to.bare) if recipient is None else recipient.address
        keeping = self._host.keeping
        return Submission(
            sender=own,
            sender_device=sender.resource,
            sender_id=None if author is None else author.id,
            recipient=peer,
            recipient_device=to.resource,
            recipient_id=None if recipient is None else recipient.id,
            content=self._stamped(letter),
            origin_id=origin_id(letter.element),
            unstamped=unstamped(letter.element),
            is_archived=traits.is_archived,
            is_copied=traits.is_copied,
            has_content=traits.has_content,
            is_sealed=traits.is_sealed,
            client_id=letter.element.id or "",
            displays=_displayed(letter.element) if traits.tells_displayed else "",
            retracts=self._retraction(letter) if traits.retracts else None,
            is_remark=traits.retracts,
            is_kept_by_sender=keeping.keeps(author, peer, to.resource),
            is_kept_by_recipient=keeping.keeps(recipient, own, sender.resource),
            outgoing=None if recipient is not None else self._outgoing(letter),
        )

    def _outgoing(self, letter: Letter) -> Outgoing | None:
        host, sender, to = self._host, letter.sender, letter.to
        is_federated = host.federation is not None and host.abroad(to.domain) is host.federation
        return Outgoing(sender.domain, to.domain) if is_federated else None

    def _retraction(self, letter: Letter) -> Retraction | None:
        if self._host.settings.archive.retractions == "keep":
            return None
        child = letter.element.child(NS_RETRACT, "retract")
        target = "" if child is None else _id_of(letter.element, child)
        stone = tombstone(letter.element.id or "", self._host.clock.now_us())
        return Retraction(target, stone) if target else None

    # What follows the commit.

    def route(self, submission: Submission, appended: Appended) -> None:
        """Deliver a committed message: a follower of the pipeline."""
        host = self._host
        sender = host.router.of(submission.sender).get(submission.sender_device)
        own = () if sender is None else (sender,)
        if submission.recipient_id is not None:
            is_now = not submission.is_mailed or host.mail.arrived(submission.recipient_id, appended.seq)
            targets = self._targets(submission.recipient, submission.recipient_device)
            # Who is still being sent older messages gets this one behind them, and no copy before; XEP-0280 §6: who
            # sent it to another device of the same account gets none either.
            copies = self._copied(submission, submission.recipient, (*targets, *own))
            if not is_now:
                targets = self._aside(submission, appended.seq)
            if targets or copies:
                stanza = self._identified(
                    submission, submission.recipient, appended, is_kept=submission.is_kept_by_recipient
                )
                for target in targets:
                    target.send(stanza, appended.seq)
                send_copies("received", stanza, copies, appended.seq)
        else:
            self._leave(submission, appended)
        if submission.sender != submission.recipient:
            copies = self._copied(submission, submission.sender, own)
            if copies and submission.recipient_id is None and _is_of_room(submission.content):
                copies = inside(copies, submission.recipient)
            if copies:
                stanza = self._identified(submission, submission.sender, appended, is_kept=submission.is_kept_by_sender)
                send_copies("sent", stanza, copies)
        host.journal.routed(appended.seq)

    def _leave(self, submission: Submission, appended: Appended) -> None:
        """Send a committed message of ours abroad; it does not carry an id of our archive."""
        sender, to = JID.parse(submission.sender), JID.parse(submission.recipient)
        if self._host.federation is not None and submission.outgoing is not None:
            self._host.federation.depart(submission.content, sender, to, appended.outgoing)
        else:
            self._host.post.send(submission.content, to)

    def _identified(self, submission: Submission, by: str, appended: Appended, *, is_kept: bool) -> bytes:
        if self._host.settings.archive.enabled and not (submission.is_archived and is_kept):
            # XEP-0359 §3.1: it is the archive's id, which clients ask the archive for.
            return submission.content
        return with_stanza_id(submission.content, by, appended.id)

    def _aside(self, submission: Submission, seq: int) -> Sequence[Session]:
        """RFC 6121 §8.5.3.1: a device that takes no mail gets what is addressed to it, past what waits for others."""
        exact = self._host.router.of(submission.recipient).get(submission.recipient_device)
        if exact is None or exact in self._host.router.mail_ready(submission.recipient):
            return ()
        return (exact,) if self._host.mail.aside(exact, seq) else ()

    def _copied(self, submission: Submission, address: str, without: Sequence[Session]) -> Sequence[Session]:
        return self.carbons.sessions(address, without) if submission.is_copied else ()

    def _targets(self, address: str, device: str) -> Sequence[Session]:
        if device:
            session = self._host.router.of(address).get(device)
            if session is not None:
                return (session,)
        # RFC 6121 §8.5.3.2.1: a chat for a device that is gone is treated as one for the account.
        return self._host.router.mail_ready(address)

    def _stamped(self, letter: Letter) -> bytes:
        element = letter.element
        # XEP-0280 §9: the recipient's server takes it out, and has to see it.
        is_done_with_private = letter.traits.is_private and self._host.router.is_local(letter.to)
        if letter.traits.claims_stanza_id or is_done_with_private:
            element = self._pruned(element, is_done_with_private=is_done_with_private)
        return letter.stamped(element)

    def _pruned(self, element: Element, *, is_done_with_private: bool) -> Element:
        tree = copy.deepcopy(element.tree())
        for child in tree.findall(f"{{{NS_STANZA_IDS}}}stanza-id"):
            if self._is_ours(child.get("by", "")):
                tree.remove(child)
        for child in tree.findall(f"{{{NS_CARBONS}}}private") if is_done_with_private else ():
            tree.remove(child)
        return Element.from_tree(tree)

    def _without_assistance(self, element: Element) -> Element:
        tree = copy.deepcopy(element.tree())
        for child in list(tree):
            if split_tag(str(child.tag)) in self._assistants:
                tree.remove(child)
        return Element.from_tree(tree)

    def _is_ours(self, by: str) -> bool:
        # XEP-0359 §5: ids that claim to be from an archive of ours are removed, however the address is written.
        try:
            return self._host.router.is_local(JID.parse(by))
        except JIDError:
            return True

    # What is not kept: typing, headlines, errors.

    def _pass_on(self, letter: Letter, recipient: Account) -> None:
        to, kind = letter.to, letter.kind
        stanza = self._stamped(letter)
        exact = self._host.router.find(to) if to.is_full else None
        if exact is not None:
            targets: Sequence[Session] = (exact,)
        elif kind == "error" or (kind == "headline" and to.is_full):
            # RFC 6121 §8.5.3.2.1: silently ignored, by its people.
            self._bounced(letter, recipient)
            return
        elif kind == "groupchat":
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        elif kind == "headline":
            targets = [s for s in self._host.router.available(recipient.address) if _takes_mail(s)]
        else:
            targets = self._host.router.mail_ready(recipient.address)
        for target in targets:
            target.send(stanza)
        if letter.traits.is_copied:
            without = (*targets, *self._own(letter))
            send_copies("received", stanza, self.carbons.sessions(recipient.address, without))
            if letter.author is not None and recipient.address != letter.author.address:
                self._copy_sent(letter, stanza)

    def _bounced(self, letter: Letter, recipient: Account) -> None:
        """What came back to an account's own address, the account itself sent."""
        for extension in self._host.extensions if letter.kind == "error" and letter.to.is_bare else ():
            if extension.on_bounce is not None:
                done = extension.on_bounce(self._host, recipient, letter.sender, letter.element)
                self._host.supervisor.spawn("bounce", done)

    def _own(self, letter: Letter) -> Sequence[Session]:
        session = self._host.router.find(letter.sender)
        return () if session is None else (session,)

    def _copy_sent(self, letter: Letter, stanza: bytes) -> None:
        send_copies("sent", stanza, self.carbons.sessions(str(letter.sender.bare), self._own(letter)))


def _is_of_room(stanza: bytes) -> bool:
    # Most are not, and need no second look.
    return _MUC_USER in stanza and Element.from_bytes(stanza).has(NS_MUC_USER, "x")


def _takes_mail(session: Session) -> bool:
    return session.presence is not None and session.presence.priority >= 0


def unstamped(element: Element) -> bytes:
    """What of a message its author's software wrote: the same when it is sent again from another stream."""
    # Of the opening tag what stays when it is sent from another stream: not `from`, not the stream's language.
    return f"{element.type}\0{element.id}\0".encode() + element.raw[element.body_start :]


def origin_id(element: Element) -> str:
    """What its author's software calls a message (XEP-0359 §3.2), "" for nothing."""
    child = element.child(NS_STANZA_IDS, "origin-id")
    return "" if child is None else _id_of(element, child)


def _displayed(element: Element) -> str:
    for name in ("displayed", "acknowledged"):
        child = element.child(NS_CHAT_MARKERS, name)
        if child is not None:
            return _id_of(element, child)
    return ""


def _id_of(element: Element, child: Child) -> str:
    # On the path of every message: no tree for one attribute.
    match = _ID.search(element.raw, child.start, child.end)
    if match is None:
        return ""
    value = match[1][1:-1]
    return element.child_tree(child).get("id", "") if b"&" in value else value.decode()
