import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.http.preconditions import (
    Validators,
    Verdict,
    evaluate,
    http_date,
    parse_etags,
    parse_http_date,
    range_applies,
)

VALIDATORS = Validators('"abc"', 784111777)


@given(st.integers(0, 253402300799))
def test_dates_round_trip(time_s: int):
    assert parse_http_date(http_date(time_s)) == time_s


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT\t",
    ],
)
def test_the_three_formats_of_the_rfc(value: str):
    assert parse_http_date(value) == 784111777
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "784111777",
    ],
)
def test_what_is_no_date(value: str):
    assert parse_http_date(value) is None


def test_years_of_two_digits():
    assert parse_http_date("Friday, 01-Jan-70 00:00:00 GMT") == 0
    assert parse_http_date("Tuesday, 31-Dec-69 00:00:00 GMT") == calendar.timegm((2069, 12, 31, 0, 0, 0))


@given(
    st.lists(st.sampled_from(['"a"', 'W/"a"', '""', '"a,b"', '"ü"']), min_size=1), st.sampled_from([",", ", ", " , "])
)
def test_lists_of_tags(tags: list[str], separator: str):
    assert parse_etags(separator.join(tags)) == tags


@pytest.mark.parametrize("value", ["", "a", '"a', '"a" "b"', 'w/"a"', '"a"x'])
def test_what_is_no_list_of_tags(value: str):
    assert parse_etags(value) is None


@given(st.dictionaries(st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-range"]), st.text()))
def test_garbage_never_fails(headers: dict[str, str]):
    assert evaluate(headers.get, VALIDATORS) in Verdict
    assert range_applies(headers.get("if-range"), VALIDATORS) in (True, False)


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({}, Verdict.PROCEED),
        ({"if-match": '"x", "abc"'}, Verdict.PROCEED),
        ({"if-match": 'W/"abc"'}, Verdict.FAILED),
        ({"if-match": "malformed"}, Verdict.FAILED),
        ({"if-match": '"abc"', "if-none-match": '"abc"'}, Verdict.NOT_MODIFIED),
        ({"if-match": '"x"', "if-none-match": '"abc"'}, Verdict.FAILED),
        ({"if-none-match": 'W/"abc"'}, Verdict.NOT_MODIFIED),
        ({"if-none-match": "malformed"}, Verdict.PROCEED),
        ({"if-unmodified-since": "Sun, 06 Nov 1994 08:49:36 GMT"}, Verdict.FAILED),
        ({"if-unmodified-since": "Sun, 06 Nov 1994 08:49:37 GMT"}, Verdict.PROCEED),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT"}, Verdict.NOT_MODIFIED),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:36 GMT"}, Verdict.PROCEED),
    ],
)
def test_the_order_of_the_rfc(headers: dict[str, str], verdict: Verdict):
    assert evaluate(headers.get, VALIDATORS) is verdict


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_without_a_date_of_ours_dates_are_ignored(name: str):
    headers = {name: "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert evaluate(headers.get, Validators('"abc"', None)) is Verdict.PROCEED
    assert not range_applies(headers[name], Validators('"abc"', None))
