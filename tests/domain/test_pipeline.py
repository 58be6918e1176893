"""The stages of a message's path, with a log that commits when it is told to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import Refused, StorageFull, StorageUnavailable
from parley.domain.messages import Appended, Confidentiality, ConversationClass, Direction, NewMessage, Submission
from parley.domain.pipeline import Pipeline, Rule, Stage, dedup_key
from parley.domain.ports import AppendDone

SUBMISSION = Submission(
    sender="alice@example.org",
    sender_device="phone",
    sender_id=1,
    recipient="bob@example.org",
    recipient_device="",
    recipient_id=2,
    content=b"<message/>",
    unstamped=b"<body/>",
    origin_id="o1",
)
CLASS = ConversationClass("alice@example.org", "bob@example.org", Confidentiality.SEALED)


class ManualLog:
    def __init__(self) -> None:
        self.waiting: list[tuple[NewMessage, AppendDone]] = []

    def append(self, message: NewMessage, done: AppendDone) -> None:
        self.waiting.append((message, done))

    def commit(self, outcome: Appended | StorageUnavailable) -> None:
        self.waiting.pop(0)[1](outcome)


class Bench:
    def __init__(self, *, keep_archive: bool = True, rules: dict[Stage, list[Rule]] | None = None) -> None:
        self.log = ManualLog()
        self.events: list[object] = []
        self.pipeline = Pipeline(
            self.log,  # type: ignore[arg-type]
            lambda: "id-1",
            lambda: 1_000_000,
            keep_archive=keep_archive,
            rules=rules or {},
            raises=lambda s: CLASS if s.is_sealed else None,
            followers=(lambda _s, a: self.events.append(("route", a.seq)), lambda _s, a: self.events.append("notify")),
        )

    def accept(self, submission: Submission = SUBMISSION) -> None:
        self.pipeline.accept(submission, self.events.append)


def test_nothing_follows_before_the_commit() -> None:
    bench = Bench()
    bench.accept()
    assert bench.events == []
    bench.log.commit(Appended(7, "id-1"))
    assert bench.events == [("route", 7), "notify", Appended(7, "id-1")]


def test_both_parties_get_an_entry() -> None:
    bench = Bench()
    bench.accept()
    message = bench.log.waiting[0][0]
    assert (message.sender, message.recipient, message.received_at) == (
        "alice@example.org/phone",
        "bob@example.org",
        1_000_000,
    )
    assert [(e.account_id, e.peer, e.direction, e.is_archived, e.is_mailed) for e in message.entries] == [
        (2, "alice@example.org", Direction.IN, True, True),
        (1, "bob@example.org", Direction.OUT, True, False),
    ]


def test_without_archive_only_the_recipient_holds_it() -> None:
    bench = Bench(keep_archive=False)
    bench.accept()
    entries = bench.log.waiting[0][0].entries
    assert [(e.account_id, e.is_archived, e.is_mailed) for e in entries] == [(2, False, True)]


def test_a_note_to_oneself_is_one_entry() -> None:
    bench = Bench()
    bench.accept(replace(SUBMISSION, recipient="alice@example.org", recipient_id=1))
    assert len(bench.log.waiting[0][0].entries) == 1


def test_a_message_that_nobody_is_to_hold_is_not_committed() -> None:
    bench = Bench()
    bench.accept(replace(SUBMISSION, is_archived=False, is_mailed=False))
    assert bench.log.waiting == []
    assert bench.events == [("route", 0), "notify", Appended(0, "")]


def test_a_duplicate_is_answered_but_not_routed() -> None:
    bench = Bench()
    bench.accept()
    bench.log.commit(Appended(3, "earlier", is_duplicate=True))
    assert bench.events == [Appended(3, "earlier", is_duplicate=True)]


def test_a_failure_of_the_storage_is_told_and_nothing_follows() -> None:
    bench = Bench()
    bench.accept()
    failure = StorageFull("storage-full")
    bench.log.commit(failure)
    assert bench.events == [failure]


def test_rules_run_by_stage_and_a_refusal_stores_nothing() -> None:
    seen: list[str] = []

    def refuse(_submission: Submission) -> None:
        seen.append("policy")
        raise Refused("not-today")

    bench = Bench(rules={Stage.POLICY: [refuse], Stage.VALIDATE: [lambda _s: seen.append("validate")]})
    with pytest.raises(Refused, match="not-today"):
        bench.accept()
    assert seen == ["validate", "policy"]
    assert bench.log.waiting == []
    assert bench.events == []


def test_a_rule_that_breaks_refuses() -> None:
    def broken(_submission: Submission) -> None:
        raise ZeroDivisionError

    bench = Bench(rules={Stage.POLICY: [broken]})
    with pytest.raises(ZeroDivisionError):
        bench.accept()
    assert bench.log.waiting == []


def test_no_relay_between_strangers() -> None:
    with pytest.raises(Refused, match="not-ours"):
        Bench().accept(replace(SUBMISSION, sender_id=None, recipient_id=None))


@pytest.mark.parametrize(("is_sealed", "expected"), [(True, Confidentiality.SEALED), (False, Confidentiality.MANAGED)])
def test_the_class_is_stored(is_sealed: bool, expected: Confidentiality) -> None:
    bench = Bench()
    bench.accept(replace(SUBMISSION, is_sealed=is_sealed))
    message = bench.log.waiting[0][0]
    assert message.confidentiality is expected
    assert message.raises == (CLASS if is_sealed else None)


def test_no_key_without_an_origin_id() -> None:
    bench = Bench()
    bench.accept(replace(SUBMISSION, origin_id=""))
    assert bench.log.waiting[0][0].dedup_key is None


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "eve@example.org"},
        {"recipient": "eve@example.org"},
        {"origin_id": "o2"},
        {"unstamped": b"<body>1</body>"},
    ],
)
def test_keys_tell_messages_apart(change: dict[str, object]) -> None:
    assert dedup_key(SUBMISSION) == dedup_key(
        replace(SUBMISSION, content=b"<message from='x'/>", sender_device="tablet")
    )
    assert dedup_key(SUBMISSION) != dedup_key(replace(SUBMISSION, **change))  # type: ignore[arg-type]
