"""The path of a message: IDENTIFY → VALIDATE → POLICY → CLASSIFY → COMMIT, then ROUTE and NOTIFY.

The first five may refuse, and refuse on error. What comes behind COMMIT follows the committed log and is told of each
message once, in the log's order. Order is by stage, never by number. Where nothing is configured for a stage, nothing
runs: the common message passes one duplicate key and one call of the log.

An edge has done IDENTIFY's part when it fills a `Submission`: it alone knows which stream a message came in on, and so
who sent it. Here the stage checks that sender and mailbox belong together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from parley.domain.errors import Refused, StorageUnavailable
from parley.domain.messages import (
    Appended,
    Confidentiality,
    ConversationClass,
    Direction,
    Displayed,
    MailboxEntry,
    NewMessage,
    Submission,
)
from parley.domain.ports import MessageLog


class Stage(StrEnum):
    """The stages at which a rule may be placed."""

    VALIDATE = "validate"
    POLICY = "policy"


Rule = Callable[[Submission], None]
"""Looks at a submission and raises `Refused` with a stable code; another exception refuses as well."""

Committed = Callable[[Submission, Appended], None]
"""Is told of a message that was committed and is not a duplicate."""

Done = Callable[[Appended | StorageUnavailable], None]


class Pipeline:
    """Takes submissions to the log and committed messages to the followers.

    Args:
        log: where COMMIT writes.
        new_id: makes a UUIDv7 in text form.
        now: microseconds since the epoch.
        keep_archive: whether archives are kept; without, a message lives until it is delivered.
        rules: for each stage, what is asked there.
        raises: the class that a message's conversation gets with it, None where it stays as it is.
        followers: ROUTE and NOTIFY, in this order.
    """

    def __init__(
        self,
        log: MessageLog,
        new_id: Callable[[], str],
        now: Callable[[], int],
        *,
        keep_archive: bool,
        rules: Mapping[Stage, Sequence[Rule]],
        raises: Callable[[Submission], ConversationClass | None],
        followers: Sequence[Committed],
    ) -> None:
        self._log = log
        self._new_id = new_id
        self._now = now
        self._keep_archive = keep_archive
        self._rules = tuple(rule for stage in Stage for rule in rules.get(stage, ()))
        self._raises = raises
        self._followers = tuple(followers)

    def accept(self, submission: Submission, done: Done) -> None:
        """Check, classify and commit a message.

        `done` is called once, after the followers, with what the log said, a failure of the storage included. It may be
        called before this returns when no mailbox is to hold the message.

        Raises:
            Refused: a stage said no; nothing was stored and `done` is not called.
        """
        _identify(submission)
        for rule in self._rules:
            rule(submission)
        message = self._new_message(submission, classify(submission))
        if not message.entries and message.outgoing is None:
            # Nobody's mailbox is to hold it, nobody abroad waits for it: there is nothing to commit.
            self._follow(submission, Appended(seq=0, id=""))
            done(Appended(seq=0, id=""))
            return

        def committed(outcome: Appended | StorageUnavailable) -> None:
            try:
                if type(outcome) is Appended and not outcome.is_duplicate:
                    self._follow(submission, outcome)
            finally:
                # It is committed, whatever a follower makes of it.
                done(outcome)

        self._log.append(message, committed)

    def _follow(self, submission: Submission, appended: Appended) -> None:
        for follower in self._followers:
            follower(submission, appended)

    def _new_message(self, submission: Submission, confidentiality: Confidentiality) -> NewMessage:
        displays = None
        if submission.displays and submission.sender_id is not None:
            displays = Displayed(submission.sender_id, submission.recipient, submission.displays)
        return NewMessage(
            id=self._new_id(),
            received_at=self._now(),
            sender=_full(submission.sender, submission.sender_device),
            recipient=_full(submission.recipient, submission.recipient_device),
            confidentiality=confidentiality,
            content=submission.content,
            entries=self._entries(submission),
            dedup_key=dedup_key(submission) if submission.origin_id else None,
            raises=self._raises(submission),
            # A word of explanation for old software is no message that anybody waits for.
            has_content=submission.has_content and not submission.is_remark,
            client_id=submission.client_id,
            origin_id=submission.origin_id,
            displays=displays,
            retracts=submission.retracts,
            outgoing=submission.outgoing,
        )

    def _entries(self, submission: Submission) -> tuple[MailboxEntry, ...]:
        is_archived = submission.is_archived and self._keep_archive
        is_received = is_archived and submission.is_kept_by_recipient
        entries = []
        if submission.recipient_id is not None and (is_received or submission.is_mailed):
            entries.append(
                MailboxEntry(
                    submission.recipient_id, submission.sender, Direction.IN, is_received, submission.is_mailed
                )
            )
        # A note to oneself is one entry: the archive of XEP-0313 holds a message once.
        is_sent = is_archived and submission.is_kept_by_sender
        if is_sent and submission.sender_id is not None and submission.sender_id != submission.recipient_id:
            entries.append(
                MailboxEntry(
                    submission.sender_id, submission.recipient, Direction.OUT, is_archived=True, is_mailed=False
                )
            )
        return tuple(entries)


def classify(submission: Submission) -> Confidentiality:
    """CLASSIFY: which machine may read the content. What is not sealed by its sender, the server can read."""
    return Confidentiality.SEALED if submission.is_sealed else Confidentiality.MANAGED


def dedup_key(submission: Submission) -> bytes:
    """16 bytes that are equal when a client sends the same message again.

    What its software wrote is part of it: a client that counts its origin ids anew after each start, as some do, loses
    no message. What the server stamps is not: who signs in again may be another device than before, and sends again.
    """
    key = hashlib.blake2b(digest_size=16)
    for part in (submission.sender, submission.recipient, submission.recipient_device, submission.origin_id):
        key.update(part.encode())
        key.update(b"\0")
    key.update(submission.unstamped)
    return key.digest()


def _identify(submission: Submission) -> None:
    if not submission.sender or not submission.recipient:
        raise Refused("no-address")
    if submission.sender_id is None and submission.recipient_id is None:
        # Neither party is ours: this server is no relay.
        raise Refused("not-ours")


def _full(address: str, device: str) -> str:
    return f"{address}/{device}" if device else address
