from __future__ import annotations

from collections import Counter
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from parley.base.net.resolver import interleaved
from parley.base.net.service_records import ServiceRecord, in_order

RECORDS = st.lists(
    st.builds(
        ServiceRecord,
        priority=st.integers(0, 3),
        weight=st.integers(0, 100),
        port=st.integers(1, 65535),
        target=st.sampled_from(["", "a.example", "b.example"]),
        is_tls=st.booleans(),
    )
)


@given(RECORDS, st.floats(0, 1, exclude_max=True))
def test_every_usable_record_is_tried_once_by_priority(records: list[ServiceRecord], chance: float) -> None:
    ordered = in_order(records, lambda: chance)
    assert Counter(ordered) == Counter(record for record in records if record.target)
    assert [record.priority for record in ordered] == sorted(record.priority for record in ordered)


def test_weights_share_the_first_place() -> None:
    heavy, light = ServiceRecord(1, 75, 1, "h.example"), ServiceRecord(1, 25, 2, "l.example", is_tls=True)
    numbers = (number / 1000 for number in count())
    first = Counter(in_order([light, heavy], lambda: next(numbers))[0] for _ in range(500))
    assert abs(first[heavy] / 500 - 0.75) < 0.05


def test_no_target_means_no_service() -> None:
    assert in_order([ServiceRecord(0, 0, 0, "")], lambda: 0.0) == []


def test_families_take_turns() -> None:
    assert interleaved(["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"]) == [
        "2001:db8::1",
        "192.0.2.1",
        "2001:db8::2",
        "2001:db8::3",
    ]
