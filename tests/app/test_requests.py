"""Requests as lines: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.app import requests
from parley.app.errors import Unwilling
from parley.domain.accounts import Credential

credentials = st.builds(
    Credential,
    mechanism=st.sampled_from(["SHA-1", "SHA-256"]),
    salt=st.binary(min_size=1, max_size=32),
    iterations=st.integers(4096, 10**6),
    stored_key=st.binary(max_size=64),
    server_key=st.binary(max_size=64),
)
some_credentials = st.lists(credentials, max_size=3).map(tuple)
people = st.builds(requests.Person, address=st.text(max_size=20), credentials=some_credentials)
asked = st.one_of(
    st.builds(requests.AddUsers, people=st.lists(people, max_size=3).map(tuple)),
    st.builds(requests.SetPassword, st.text(max_size=9), some_credentials, st.booleans()),
    st.builds(requests.RevokeDevices, st.text(max_size=9), st.none() | st.lists(st.text()).map(tuple)),
    st.builds(requests.SetSuspended, st.text(max_size=9), st.booleans()),
    st.builds(requests.ListUsers, st.text(max_size=9)),
)


@given(asked)
def test_a_request_survives_the_wire(request):
    line = requests.encode(request)
    assert b"\n" not in line
    assert requests.decode(line + b"\n") == request


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"kind": "user-fly"}',
        b'{"kind": "user-show"}',
        b'{"kind": "user-show", "address": 5}',
        b'{"kind": "user-show", "address": "a@b", "more": 1}',
        b'{"kind": "user-password", "address": "a@b", "credentials": [{"salt": "secret!"}], "is_signing_out": false}',
    ],
)
def test_anything_else_is_refused_without_quoting_it(line):
    with pytest.raises(Unwilling) as caught:
        requests.decode(line)
    assert caught.value.code == "request-malformed"
    assert "secret!" not in str(caught.value)
