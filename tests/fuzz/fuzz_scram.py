"""Fuzz target: SCRAM, PLAIN and SASL payloads take anything and answer with SASLError or success."""

from parley.protocols.xmpp.errors import SASLError
from parley.protocols.xmpp.sasl import decode_payload, parse_plain
from parley.protocols.xmpp.scram import ScramServer, decoy_keys

KEYS = decoy_keys("sha256", "user", b"secret", 4096)

SEEDS = [
    b"n,,n=user,r=client\nc=biws,r=clientserver,p=" + b"A" * 43 + b"=",
    b"y,a=boss,n=us=2Cer,r=client,x=1\nc=eSws,r=clientserver,x=2,p=AAAA",
    b"p=tls-exporter,,n=user,r=client\nc=cD10bHMtZXhwb3J0ZXIsLAEC,r=clientserver,p=" + b"A" * 43 + b"=",
    b"\0user\0pencil",
    b"AA==",
]


def target(data: bytes) -> None:
    """A first and a final message with a line feed between them; nobody gets in without the password."""
    first, _, final = data.partition(b"\n")
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        server = ScramServer(mechanism, {"tls-exporter": b"\x01\x02"}, is_plus_offered=mechanism.endswith("PLUS"))
        try:
            server.first(first)
            server.challenge(KEYS, "server")
            server.final(final)
        except SASLError:
            continue
        raise AssertionError("somebody got in with a decoy's keys")
    for call in (lambda: parse_plain(data), lambda: decode_payload(data.decode(errors="replace"))):
        try:
            call()
        except SASLError:
            continue


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
