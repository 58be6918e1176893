import base64
import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.base.clock import VirtualClock
from parley.base.ids import IdError, Uuid7, parse_uuid7, time_of, token

HOUR_S = 3600
steps_s = st.lists(st.floats(min_value=-HOUR_S, max_value=HOUR_S), max_size=30)


def ones(bits: int) -> int:
    return (1 << bits) - 1


@given(steps_s, st.integers())
def test_ids_increase_whatever_the_wall_clock_does(steps, seed):
    clock = VirtualClock()
    ids = Uuid7(clock, random.Random(seed).getrandbits)
    values = [ids.new()]
    for step in steps:
        clock.jump_wall(step)
        values += [ids.new(), ids.new()]
    assert values == sorted(set(values))
    assert [str(value) for value in values] == sorted(str(value) for value in values)


@given(st.integers(min_value=0, max_value=(1 << 48) - 2), st.integers())
def test_an_id_has_the_layout_of_rfc_9562(time_ms, seed):
    value = Uuid7(VirtualClock(now_us=time_ms * 1000), random.Random(seed).getrandbits).new()
    assert (value.version, value.variant) == (7, uuid.RFC_4122)
    assert value.int >> 80 == time_ms
    assert time_of(value) == time_ms * 1000


def test_exhausted_random_bits_move_on_to_the_next_millisecond():
    clock = VirtualClock(now_us=1_000_000)
    ids = Uuid7(clock, ones)
    first = ids.new()
    # The head bit is clear at the start; steps of 2**32 would take 2**41 ids, so the tail is put near its end.
    ids._tail = (1 << 74) - 1
    second = ids.new()
    assert time_of(second) == time_of(first) + 1000
    assert first < second < ids.new()


def test_two_generators_do_not_repeat_each_other():
    clock = VirtualClock()
    one, other = Uuid7(clock), Uuid7(clock)
    assert not {one.new() for _ in range(100)} & {other.new() for _ in range(100)}


@given(st.integers())
def test_text_and_value_are_the_same_sequence(seed):
    as_text = Uuid7(VirtualClock(), random.Random(seed).getrandbits)
    as_value = Uuid7(VirtualClock(), random.Random(seed).getrandbits)
    for _ in range(3):
        text = as_text.text()
        value = as_value.new()
        assert text == str(value)
        assert parse_uuid7(text) == value


@given(st.text())
def test_other_texts_are_refused(text):
    with pytest.raises(IdError):
        parse_uuid7(text)


@pytest.mark.parametrize(
    "text",
    [
        str(uuid.UUID(int=0)),
        "0f9fff97-2a7c-422a-ac63-b00d2ca7049c",
        "{018cc251-f400-7a3b-8000-000000000001}",
        "urn:uuid:018cc251-f400-7a3b-8000-000000000001",
        "018CC251-F400-7A3B-8000-00000000000A",
        "018cc251f4007a3b8000000000000001",
        "018cc251-f400-7a3b-0000-000000000001",
    ],
)
def test_other_uuids_and_other_spellings_are_refused(text):
    with pytest.raises(IdError):
        parse_uuid7(text)


@given(st.integers(min_value=8, max_value=64))
def test_tokens_are_url_safe_and_have_the_size_asked_for(size_bytes):
    text = token(size_bytes)
    assert len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) == size_bytes
    assert not set(text) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert token(size_bytes) != text


def test_a_token_that_could_be_guessed_is_refused():
    with pytest.raises(ValueError, match="guessed"):
        token(7)
