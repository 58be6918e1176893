import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.http.ranges import MAX_RANGES, RangeSpec, Span, content_range, parse_range, resolve

numbers = st.integers(0, 50)
specs = st.one_of(
    st.builds(lambda first, more: RangeSpec(first, first + more), numbers, numbers),
    st.builds(RangeSpec, numbers),
    st.builds(lambda suffix: RangeSpec(suffix=suffix), numbers),
)


def written(spec: RangeSpec) -> str:
    if spec.suffix is not None:
        return f"-{spec.suffix}"
    return f"{spec.first}-" + ("" if spec.last is None else str(spec.last))


def wanted(spec: RangeSpec, size: int) -> set[int]:
    """The positions that RFC 9110 §14.1.2 says, one by one."""
    if spec.suffix is not None:
        return set(range(size)[max(size - spec.suffix, 0) :]) if spec.suffix else set()
    last = size - 1 if spec.last is None else spec.last
    return {position for position in range(size) if (spec.first or 0) <= position <= last}


@given(st.lists(specs, min_size=1, max_size=MAX_RANGES), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_what_is_written_is_read(ranges: list[RangeSpec], separator: str):
    assert parse_range("bytes=" + separator.join(map(written, ranges))) == tuple(ranges)


@given(st.lists(specs, min_size=1, max_size=5), st.integers(0, 60))
def test_spans_are_the_positions_asked_for_each_once(ranges: list[RangeSpec], size: int):
    spans = resolve(ranges, size)
    positions = [position for span in spans for position in range(span.start, span.end)]
    assert set(positions) == set().union(*(wanted(spec, size) for spec in ranges))
    assert len(positions) == len(set(positions))
    assert all(0 <= span.start < span.end <= size for span in spans)


@given(st.lists(specs, min_size=1, max_size=5), st.integers(1, 60))
def test_ranges_apart_keep_their_order(ranges: list[RangeSpec], size: int):
    sets = [positions for positions in (wanted(spec, size) for spec in ranges) if positions]
    if sum(map(len, sets)) == len(set().union(*sets)):
        assert [span.start for span in resolve(ranges, size)] == [min(positions) for positions in sets]


@given(st.text(max_size=40))
def test_anything_is_read_or_ignored(text: str):
    parsed = parse_range("bytes=" + text)
    assert parsed is None or len(parsed) <= MAX_RANGES


@pytest.mark.parametrize(
    "value", ["", "bytes", "bytes=", "bytes=,", "bytes=٣-", "bytes=+1-2", "bytes=1-2-3", "lines=1-2"]
)
def test_malformed(value: str):
    assert parse_range(value) is None


def test_too_many():
    assert parse_range("bytes=" + ",".join(["0-1"] * MAX_RANGES)) is not None
    assert parse_range("bytes=" + ",".join(["0-1"] * (MAX_RANGES + 1))) is None
    assert parse_range("bytes=" + "," * 100_000 + "0-1") is None


def test_adjacent_ranges_stay_apart_and_overlapping_ones_merge():
    assert resolve([RangeSpec(5, 9), RangeSpec(0, 4)], 100) == (Span(5, 10), Span(0, 5))
    assert resolve([RangeSpec(5, 9), RangeSpec(0, 5), RangeSpec(50, 50)], 100) == (Span(0, 10), Span(50, 51))
    assert resolve([RangeSpec(0, 50), RangeSpec(10, 20)], 100) == (Span(0, 51),)


def test_content_range():
    assert content_range(Span(0, 1), 10) == "bytes 0-0/10"
    assert content_range(None, 10) == "bytes */10"
