"""Fuzz target: lists to import and requests on the local socket are read, or refused with Unwilling."""

from contextlib import suppress

from parley.app.errors import Unwilling
from parley.app.people import read_people
from parley.app.requests import AddUsers, ListDevices, Person, RevokeDevices, SetSuspended, decode, encode
from parley.domain.accounts import Credential

CREDENTIAL = Credential("SHA-256", b"salt", 4096, b"stored", b"server")
REQUESTS = (
    AddUsers((Person("alice@example.org", (CREDENTIAL,)),)),
    ListDevices("alice@example.org"),
    RevokeDevices("alice@example.org", ("phone",)),
    SetSuspended("alice@example.org", is_suspended=True),
)
SEEDS = [
    *(encode(request) for request in REQUESTS),
    b'address,password\r\nalice@example.org,secret\r\n\r\nbob@example.org,"a ""quoted"" one"\n',
    b'alice@example.org,"cut off',
    b"\xef\xbb\xbfalice@example.org,x\ncarol@elsewhere.example,y\nalice@example.org,\x00",
    b'{"kind":"user-list","domain":"\\ud800"}',
]


def target(data: bytes) -> None:
    """`data` as a request, and as a list."""
    with suppress(Unwilling):
        request = decode(data)
        assert decode(encode(request)) == request
    lines = data.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    with suppress(Unwilling):
        people = read_people(lines, {"example.org"})
        assert people
        assert all(person.address.endswith("@example.org") and person.password for person in people)
        assert len({person.address for person in people}) == len(people)


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
