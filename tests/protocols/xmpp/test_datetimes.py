import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.xmpp.datetimes import format_datetime, parse_datetime
from parley.protocols.xmpp.errors import PayloadError


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_times_come_back(at_us: int):
    assert parse_datetime(format_datetime(at_us)) == at_us


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1969-07-21T02:56:15Z", -14_159_025_000_000),  # XEP-0082 §4
        ("1969-07-20T21:56:15-05:00", -14_159_025_000_000),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01T00:00:00.1234567899Z", 123_456),
        ("1970-01-01T05:30:00+05:30", 0),
        ("1970-01-01T00:00:00.000+00:00", 0),
    ],
)
def test_times_are_read(text: str, at_us: int):
    assert parse_datetime(text) == at_us


def test_times_are_written():
    assert format_datetime(0) == "1970-01-01T00:00:00Z"
    assert format_datetime(1_700_000_000_123_000) == "2023-11-14T22:13:20.123000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00Z",
        "1970-1-1T00:00:00Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T25:00:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00z",
        "19700101T00:00:00",
        "١٩٧٠-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z\n",
        "99999-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(PayloadError):
        parse_datetime(text)
