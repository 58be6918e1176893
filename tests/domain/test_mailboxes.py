"""Delivery of a mailbox against a model: nothing waits for ever, nobody gets a message twice, no gap is passed."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parley.domain.mailboxes import Mailbox, MailboxState


class MailboxMachine(RuleBasedStateMachine):
    """The log, its cursor and the sessions, as lists; the mailbox decides what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.box: Mailbox[str] = Mailbox()
        self.log: list[int] = []
        self.cursor = 0
        self.holders: dict[str, list[int]] = {}
        self.resting: dict[str, list[int]] = {}
        """Sessions that take no more mail, with what was sent to them while they did."""
        self.devices: dict[str, list[int]] = {}
        """Those that take no mail, with what was addressed to them alone."""
        self.arrived_elsewhere: set[int] = set()
        self.readings: dict[int, list[int]] = {}
        """What the log answers to each catching up that waits for it, by its number."""
        self.running: set[int] = set()
        self.uncalled: list[tuple[int, str]] = []
        self.names = 0

    @initialize()
    def start(self) -> None:
        assert self.box.state is MailboxState.IDLE

    def _new_session(self) -> None:
        self.names += 1
        self.holders[f"s{self.names}"] = []

    def _send(self, seq: int) -> None:
        assert seq not in self.arrived_elsewhere
        assert not any(seq in held for held in self.resting.values())
        for name, held in self.holders.items():
            assert seq not in held
            held.append(seq)
            self.box.sent(seq, name)

    @rule()
    def session_comes(self) -> None:
        self._new_session()
        if self.box.wake():
            self.running.add(self.box.run)

    @rule()
    def device_comes(self) -> None:
        self.names += 1
        self.devices[f"d{self.names}"] = []

    @rule(data=st.data())
    def message_is_committed(self, data: st.DataObject) -> None:
        self.log.append(len(self.log) + 1)
        self.uncalled.append((self.log[-1], data.draw(st.sampled_from(["", *sorted(self.devices)]))))

    @precondition(lambda self: self.uncalled)
    @rule()
    def commit_is_told(self) -> None:
        seq, device = self.uncalled.pop(0)
        if self.box.arrived(seq):
            self._send(seq)
        elif device in self.devices and self.box.put_aside(seq, device):
            self.devices[device].append(seq)
            self.box.sent(seq, device)

    @precondition(lambda self: self.running - self.readings.keys())
    @rule()
    def log_is_asked(self) -> None:
        run = min(self.running - self.readings.keys())
        if not self.box.is_catching_up(run):
            self.running.discard(run)
            return
        self.box.fetching()
        self.readings[run] = [seq for seq in self.log if seq > max(self.cursor, self.box.fetched)][:3]

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def log_answers(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(sorted(self.readings)))
        page = self.readings.pop(run)
        if not self.box.is_catching_up(run):
            self.running.discard(run)
            return
        if not self.holders:
            self.box.sleep()
            self.running.discard(run)
            return
        for seq in page:
            is_settled = self.box.is_settled(seq)
            if self.box.take(seq):
                # What a device holds or had is for nobody else.
                assert not any(seq in held for held in self.devices.values())
                self._send(seq)
            elif is_settled:
                self._delivered(seq)
        if len(page) < 3 and self.box.caught_up():
            self.running.discard(run)

    @precondition(lambda self: any(self.holders.values()))
    @rule(data=st.data())
    def somebody_acknowledges(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name, held in self.holders.items() if held]))
        self._delivered(data.draw(st.sampled_from(self.holders[name])))

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def session_takes_no_more(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.holders)))
        self.resting[name] = self.holders.pop(name)
        if not self.holders:
            self.box.sleep()

    @precondition(lambda self: self.resting)
    @rule(data=st.data())
    def session_takes_mail_again(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.resting)))
        self.holders[name] = self.resting.pop(name)
        if self.box.wake():
            self.running.add(self.box.run)

    @precondition(lambda self: any(self.resting.values()))
    @rule(data=st.data())
    def somebody_who_rests_acknowledges(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name, held in self.resting.items() if held]))
        self._delivered(data.draw(st.sampled_from(self.resting[name])))

    @precondition(lambda self: self.resting)
    @rule(data=st.data())
    def somebody_who_rests_goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.resting)))
        del self.resting[name]
        if self.box.lost(name) and self.holders:
            self.box.rewind()
            self.running.add(self.box.run)

    @precondition(lambda self: any(self.devices.values()))
    @rule(data=st.data())
    def device_acknowledges(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name, held in self.devices.items() if held]))
        self._delivered(data.draw(st.sampled_from(self.devices[name])))

    @rule()
    def cursor_follows_what_was_settled(self) -> None:
        self._move(self.box.settled([seq for seq in self.log if seq > self.cursor][:3]))

    def _delivered(self, seq: int) -> None:
        self.arrived_elsewhere.add(seq)
        self._move(self.box.delivered(seq))

    def _move(self, cursor: int | None) -> None:
        if cursor is not None:
            assert cursor >= self.cursor
            self.cursor = cursor

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def session_goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.holders)))
        del self.holders[name]
        is_orphaned = self.box.lost(name)
        if not self.holders:
            self.box.sleep()
        elif is_orphaned:
            self.box.rewind()
            self.running.add(self.box.run)

    @precondition(lambda self: self.devices)
    @rule(data=st.data())
    def device_goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.devices)))
        del self.devices[name]
        if self.box.lost(name) and self.holders:
            self.box.rewind()
            self.running.add(self.box.run)

    @invariant()
    def the_cursor_passes_only_what_arrived(self) -> None:
        assert all(seq in self.arrived_elsewhere for seq in self.log if seq <= self.cursor)

    @invariant()
    def live_means_that_nothing_waits_unseen(self) -> None:
        if self.box.state is MailboxState.CATCHING_UP:
            assert self.box.run in self.running
        if self.box.state is MailboxState.LIVE and not self.uncalled:
            seen = self.arrived_elsewhere.union(*self.holders.values(), *self.resting.values(), *self.devices.values())
            assert set(self.log) <= seen


TestMailbox = MailboxMachine.TestCase
TestMailbox.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_what_one_device_had_is_passed_once_nothing_waits_before_it() -> None:
    box: Mailbox[str] = Mailbox()
    assert box.put_aside(2, "d")
    assert box.put_aside(3, "d")
    assert box.delivered(3) is None
    assert box.settled([2, 3]) is None
    assert box.delivered(2) is None
    assert box.settled([1, 2, 3]) is None
    assert box.settled([2, 3, 4]) == 3
    assert box.settled([4]) is None


def test_what_a_device_never_had_waits_for_who_takes_mail() -> None:
    box: Mailbox[str] = Mailbox()
    assert box.put_aside(1, "d")
    assert not box.lost("d")
    assert box.wake()
    assert box.take(1)
    # Read from the log and sent before its commit was told.
    assert not box.put_aside(1, "d")
    assert not box.arrived(2)
    assert box.put_aside(2, "d")
    assert not box.take(2)
    assert not box.caught_up()


def test_so_much_is_kept_in_mind_of_what_was_delivered_past_waiting_mail() -> None:
    box: Mailbox[str] = Mailbox()
    for seq in range(2, 1005):
        assert box.put_aside(seq, "d")
        box.delivered(seq)
    assert [seq for seq in range(2, 1005) if not box.is_settled(seq)] == [2, 3, 4]


def test_what_its_only_receiver_had_no_room_for_goes_to_others() -> None:
    box: Mailbox[str] = Mailbox()
    assert box.wake()
    box.fetching()
    assert box.caught_up()
    assert box.arrived(1)
    assert box.lost("a")
    box.rewind()
    assert box.take(1)


def test_what_was_delivered_before_an_older_message_is_known_when_nobody_is_left() -> None:
    box: Mailbox[str] = Mailbox()
    assert box.wake()
    assert box.caught_up()
    for seq in (1, 2, 3):
        assert box.arrived(seq)
        box.sent(seq, "a" if seq == 1 else "b")
    assert box.delivered(3) is None
    box.lost("a")
    box.lost("b")
    box.sleep()
    assert box.is_worth_keeping
    assert box.wake()
    assert [box.take(seq) for seq in (1, 2)] == [True, True]
    assert box.is_settled(3)
    assert not box.take(3)


def test_an_acknowledgement_during_catching_up_passes_nothing_that_is_not_sent_yet() -> None:
    box: Mailbox[str] = Mailbox()
    assert box.wake()
    assert box.caught_up()
    for seq in (1, 2, 3):
        assert box.arrived(seq)
        box.sent(seq, "a")
    assert box.delivered(3) is None
    box.sleep()
    assert box.wake()
    assert not box.take(1)
    assert box.delivered(1) == 1
