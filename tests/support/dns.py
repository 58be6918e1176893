"""A name server for tests: a table of records on 127.0.0.53."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_LARGEST = 4096


class NameServer:
    """Answers over UDP. A context manager.

    Args:
        records: by name without its final dot, lines such as `SRV 0 0 5269 xmpp.alpha.example.` or `A 127.0.0.1`;
            the line `REFUSED` to answer nothing about the name.
        address: where to listen.
    """

    def __init__(self, records: Mapping[str, Sequence[str]], address: tuple[str, int] = ("127.0.0.53", 53)) -> None:
        self.records = {name: list(lines) for name, lines in records.items()}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(_LARGEST)
                self._socket.sendto(self._answer(data), peer)
            except OSError:
                return

    def _answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        question = query.question[0]
        answer = dns.message.make_response(query, recursion_available=True)
        lines = self.records.get(question.name.to_text(omit_final_dot=True).lower())
        if lines is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif "REFUSED" in lines:
            answer.set_rcode(dns.rcode.REFUSED)
        kind = dns.rdatatype.to_text(question.rdtype)
        found = [rest for name, _, rest in (line.partition(" ") for line in lines or ()) if name == kind]
        if found:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
        return answer.to_wire()
