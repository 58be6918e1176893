"""How a request is refused: a status, a stable code and a text that tells a stranger nothing.

HttpError
├── Refusal            answered with its status and `{"error": {"code": …, "message": …}}`
└── Gone               the rest of the body will not come
    ├── Disconnected   the client closed the connection in mid-request
    ├── Interrupted    a newer request took the upload over
    └── Stalled        nothing came for too long
"""

from __future__ import annotations

import json

from parley.base.errors import ParleyError

RETRY_AFTER_S = "5"
"""When to come back to a server that stops: the one that is started next takes about so long."""

MESSAGES = {
    "bad-request": "The request is malformed.",
    "body-timeout": "The body arrived too slowly.",
    "checksum-mismatch": "The bytes do not have the announced checksum; they were discarded.",
    "cut-off": "The server stops; try again soon.",
    "digest-mismatch": "The content does not have the announced digest; it was discarded.",
    "expired": "The time for this upload is over.",
    "forbidden": "Not allowed from here.",
    "header-malformed": "A header of the request is malformed.",
    "internal": "The server failed.",
    "length-required": "The request needs a Content-Length.",
    "limit-reached": "A limit would be passed.",
    "method-not-allowed": "The address does not know this method.",
    "not-found": "There is nothing at this address.",
    "not-ready": "The server is not ready.",
    "offset-mismatch": "The upload stands at another offset.",
    "origin-refused": "WebSockets are not open to pages of this origin.",
    "precondition-failed": "A precondition of the request does not hold.",
    "range-not-satisfiable": "The content has no such bytes.",
    "storage-full": "There is no room left; what was stored is unharmed.",
    "storage-unavailable": "The storage is not available; nothing was changed.",
    "subprotocol-required": "The WebSocket needs the subprotocol xmpp.",
    "tls-required": "Without TLS nobody signs in from another machine: connect with wss.",
    "too-large": "The content is larger than the slot that was requested.",
    "tus-version": "Only version 1.0.0 of tus is spoken here.",
    "unsupported-checksum": "The checksum's algorithm is not supported.",
    "upgrade-required": "This address speaks WebSocket.",
    "upload-busy": "Another request is writing to this upload.",
    "upload-complete": "The upload is complete and does not change any more.",
    "wrong-length": "The length is not the one of the slot that was requested.",
    "wrong-type": "The content's type is not the expected one.",
}
"""The text that goes with each code. Codes are stable; texts may change."""


class HttpError(ParleyError):
    """Root of the package's errors."""


class Refusal(HttpError):
    """The request is answered with an error.

    Args:
        status: of HTTP, 400 or above.
        code: a key of `MESSAGES`.
        headers: to be sent beside the usual ones.
    """

    def __init__(self, status: int, code: str, *headers: tuple[str, str]) -> None:
        super().__init__(code, MESSAGES[code])
        self.status = status
        self.headers = headers

    def body(self) -> bytes:
        """Return the JSON document that goes with it."""
        return json.dumps({"error": {"code": self.code, "message": self.message}}).encode()


class Gone(HttpError):
    """The rest of the body will not come."""


class Disconnected(Gone):
    """The client closed the connection in mid-request."""

    def __init__(self) -> None:
        super().__init__("disconnected", "the client closed the connection")


class Interrupted(Gone):
    """A newer request took the upload over: the connection of this one is probably dead already."""

    def __init__(self) -> None:
        super().__init__("interrupted", "a newer request took over")


class Stalled(Gone):
    """Nothing came for too long."""

    def __init__(self) -> None:
        super().__init__("stalled", "the body stalled")


def not_found() -> Refusal:
    """Return the refusal for whatever does not exist, or must look as if it did not."""
    return Refusal(404, "not-found")


def method_not_allowed(*allowed: str) -> Refusal:
    """Return the refusal that lists the methods an address knows (RFC 9110 §15.5.6)."""
    return Refusal(405, "method-not-allowed", ("allow", ", ".join(allowed)))
