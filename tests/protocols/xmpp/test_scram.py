import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.protocols.xmpp.errors import LocalProtocolError, PayloadError, SASLCondition, SASLError, ScramError
from parley.protocols.xmpp.sasl import prepare_password
from parley.protocols.xmpp.scram import (
    HASHES,
    ScramFirst,
    ScramServer,
    decoy_keys,
    derive_keys,
    hash_of,
    verify_password,
)
from protocols.xmpp.scram_client import ScramClient

BINDINGS = {"tls-server-end-point": b"\x01" * 32, "tls-exporter": b"\x02" * 32}


def server(mechanism: str = "SCRAM-SHA-256", is_plus_offered: bool = True) -> ScramServer:
    return ScramServer(mechanism, BINDINGS, is_plus_offered)


def refusal(call: object, data: bytes) -> SASLCondition:
    with pytest.raises(SASLError) as caught:
        call(data)  # type: ignore[operator]
    return caught.value.condition


VECTORS = [
    (  # RFC 5802 §5
        "SCRAM-SHA-1",
        "QSXCR+Q6sek8bf92",
        b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (  # RFC 7677 §3
        "SCRAM-SHA-256",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
]


@pytest.mark.parametrize(("mechanism", "salt", "first", "nonce", "challenge", "final", "success"), VECTORS)
def test_the_examples_of_the_rfcs(
    mechanism: str, salt: str, first: bytes, nonce: str, challenge: bytes, final: bytes, success: bytes
):
    scram = server(mechanism, is_plus_offered=False)
    assert scram.first(first) == ScramFirst("user", "", None)
    keys = derive_keys(hash_of(mechanism), "pencil", base64.b64decode(salt), 4096)
    assert scram.challenge(keys, nonce) == challenge
    assert scram.final(final) == success


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)
passwords = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1)


@given(
    st.sampled_from(sorted(HASHES)),
    names,
    passwords,
    st.one_of(st.just(""), names),
    st.sampled_from([None, *BINDINGS.items()]),
    st.binary(min_size=1, max_size=20),
)
@settings(max_examples=60)
def test_who_knows_the_password_gets_in_and_knows_the_server(
    mechanism: str, name: str, password: str, authzid: str, binding: tuple[str, bytes] | None, salt: bytes
):
    client = ScramClient(HASHES[mechanism], name, password, authzid=authzid, binding=binding)
    scram = server(mechanism + "-PLUS" if binding else mechanism)
    assert scram.first(client.first()) == ScramFirst(name, authzid, binding[0] if binding else None)
    keys = derive_keys(HASHES[mechanism], password, salt, 2)
    assert client.accepts(scram.final(client.final(scram.challenge(keys, "nonce"))))


@given(passwords, passwords)
@settings(max_examples=30)
def test_who_does_not_know_the_password_stays_out(password: str, guess: str):
    client = ScramClient("sha256", "user", guess)
    scram = server()
    scram.first(client.first())
    keys = derive_keys("sha256", password, b"salt", 2)
    final = client.final(scram.challenge(keys, "nonce"))
    if prepare_password(password) == prepare_password(guess):
        scram.final(final)
    else:
        assert refusal(scram.final, final) is SASLCondition.NOT_AUTHORIZED
    assert verify_password("sha256", guess, keys) is (prepare_password(password) == prepare_password(guess))


def test_a_binding_of_another_connection_is_refused():
    client = ScramClient("sha256", "user", "pencil", binding=("tls-exporter", b"\x03" * 32))
    scram = server("SCRAM-SHA-256-PLUS")
    scram.first(client.first())
    final = client.final(scram.challenge(derive_keys("sha256", "pencil", b"salt", 2), "nonce"))
    assert refusal(scram.final, final) is SASLCondition.NOT_AUTHORIZED


def test_a_client_that_was_kept_from_channel_binding_is_told():
    client = ScramClient("sha256", "user", "pencil", flag="y")
    assert refusal(server().first, client.first()) is SASLCondition.NOT_AUTHORIZED
    assert server(is_plus_offered=False).first(client.first()).binding is None


@pytest.mark.parametrize(
    ("mechanism", "first"),
    [
        ("SCRAM-SHA-1", b""),
        ("SCRAM-SHA-1", b"n"),
        ("SCRAM-SHA-1", b"n,,"),
        ("SCRAM-SHA-1", b"n,,n=user"),
        ("SCRAM-SHA-1", b"n,,n=,r=x"),
        ("SCRAM-SHA-1", b"n,,n=user,r="),
        ("SCRAM-SHA-1", b"n,,r=x,n=user"),
        ("SCRAM-SHA-1", b"n,,m=x,n=user,r=x"),
        ("SCRAM-SHA-1", b"n,,n=us=er,r=x"),
        ("SCRAM-SHA-1", b"n,,n=user=,r=x"),
        ("SCRAM-SHA-1", b"n,,n=us\0er,r=x"),
        ("SCRAM-SHA-1", b"n,,n=user,r=x y"),
        ("SCRAM-SHA-1", b"n,,n=user,r=x,"),
        ("SCRAM-SHA-1", b"n,,n=user,r=x,1=2"),
        ("SCRAM-SHA-1", b"n,x=y,n=user,r=x"),
        ("SCRAM-SHA-1", b"n,a=,n=user,r=x"),
        ("SCRAM-SHA-1", b"n,,n=\xff,r=x"),
        ("SCRAM-SHA-1", b"x,,n=user,r=x"),
        ("SCRAM-SHA-1", b"p=tls-exporter,,n=user,r=x"),
        ("SCRAM-SHA-1-PLUS", b"n,,n=user,r=x"),
        ("SCRAM-SHA-1-PLUS", b"y,,n=user,r=x"),
        ("SCRAM-SHA-1-PLUS", b"p=,,n=user,r=x"),
        ("SCRAM-SHA-1-PLUS", b"p=tls-unique,,n=user,r=x"),
        ("SCRAM-SHA-1-PLUS", b"p=tls exporter,,n=user,r=x"),
    ],
)
def test_a_malformed_first_message_is_refused(mechanism: str, first: bytes):
    assert refusal(server(mechanism).first, first) is SASLCondition.MALFORMED_REQUEST


@pytest.mark.parametrize(
    ("final", "condition"),
    [
        (b"", SASLCondition.MALFORMED_REQUEST),
        (b"c=biws,r=clientserver", SASLCondition.MALFORMED_REQUEST),
        (b"c=biws,r=clientserver,p=", SASLCondition.MALFORMED_REQUEST),
        (b"c=biws,r=clientserver,p=AAAA", SASLCondition.MALFORMED_REQUEST),
        (b"c=biws,r=clientserver,p=!", SASLCondition.MALFORMED_REQUEST),
        (b"c=biws,p=" + b"A" * 43 + b"=", SASLCondition.MALFORMED_REQUEST),
        (b"r=clientserver,c=biws,p=" + b"A" * 43 + b"=", SASLCondition.MALFORMED_REQUEST),
        (b"c=b iws,r=clientserver,p=" + b"A" * 43 + b"=", SASLCondition.MALFORMED_REQUEST),
        (b"c=biws,r=clientserver,p=" + b"A" * 43 + b"=", SASLCondition.NOT_AUTHORIZED),
        (b"c=eSws,r=clientserver,p=" + b"A" * 43 + b"=", SASLCondition.NOT_AUTHORIZED),
        (b"c=biws,r=clientother,p=" + b"A" * 43 + b"=", SASLCondition.NOT_AUTHORIZED),
        ("c=biws,r=clientsérver,p=".encode() + b"A" * 43 + b"=", SASLCondition.NOT_AUTHORIZED),
    ],
)
def test_a_final_message_that_does_not_fit_is_refused(final: bytes, condition: SASLCondition):
    scram = server()
    scram.first(b"n,,n=user,r=client")
    scram.challenge(derive_keys("sha256", "pencil", b"salt", 2), "server")
    assert refusal(scram.final, final) is condition
    with pytest.raises(LocalProtocolError):
        scram.final(final)


def test_a_right_proof_over_another_header_is_refused():
    scram = server(is_plus_offered=False)
    client = ScramClient("sha256", "user", "pencil", flag="y")
    scram.first(client.first().replace(b"y,,", b"n,,"))
    final = client.final(scram.challenge(derive_keys("sha256", "pencil", b"salt", 2), "server"))
    assert refusal(scram.final, final) is SASLCondition.NOT_AUTHORIZED


def test_extensions_of_both_sides_are_part_of_the_proof():
    client = ScramClient("sha256", "user", "pencil")
    client.bare += ",x=1"
    scram = server()
    scram.first(client.first())
    challenge = scram.challenge(derive_keys("sha256", "pencil", b"salt", 2), "server", "h=abc")
    assert challenge.endswith(b",i=2,h=abc")
    assert client.accepts(scram.final(client.final(challenge)))


@pytest.mark.parametrize(
    ("mechanism", "first", "reason"),
    [
        ("SCRAM-SHA-1", b"n,,m=x,n=user,r=x", "extensions-not-supported"),
        ("SCRAM-SHA-1", b"n,,n=user,r=x,m=x", "extensions-not-supported"),
        ("SCRAM-SHA-1", b"n,,n=us=er,r=x", "invalid-username-encoding"),
        ("SCRAM-SHA-1", b"n,,n=\xff,r=x", "invalid-encoding"),
        ("SCRAM-SHA-1", b"y,,n=user,r=x", "server-does-support-channel-binding"),
        ("SCRAM-SHA-1", b"p=tls-exporter,,n=user,r=x", "channel-binding-not-supported"),
        ("SCRAM-SHA-1-PLUS", b"p=tls-unique,,n=user,r=x", "unsupported-channel-binding-type"),
        ("SCRAM-SHA-1", b"n,,n=user", "other-error"),
    ],
)
def test_what_is_wrong_with_a_first_message_has_the_name_of_rfc_5802(mechanism: str, first: bytes, reason: str):
    with pytest.raises(ScramError) as refused:
        server(mechanism).first(first)
    assert refused.value.code == reason


def test_an_unknown_extension_that_is_mandatory_ends_the_exchange_in_the_last_message_too():
    client = ScramClient("sha256", "user", "pencil")
    scram = server()
    scram.first(client.first())
    final = client.final(scram.challenge(derive_keys("sha256", "pencil", b"salt", 2), "server"))
    with pytest.raises(ScramError) as refused:
        scram.final(final.replace(b",p=", b",m=x,p="))
    assert refused.value.code == "extensions-not-supported"


@pytest.mark.parametrize(("password", "reason"), [("pencil", "channel-bindings-dont-match"), ("no", "invalid-proof")])
def test_only_who_has_the_password_learns_that_the_channel_is_another_one(password: str, reason: str):
    client = ScramClient("sha256", "user", password, binding=("tls-exporter", b"another"))
    scram = server("SCRAM-SHA-256-PLUS")
    scram.first(client.first())
    final = client.final(scram.challenge(derive_keys("sha256", "pencil", b"salt", 2), "nonce"))
    with pytest.raises(ScramError) as refused:
        scram.final(final)
    assert refused.value.code == reason


def test_the_order_of_calls_is_kept():
    scram = server()
    keys = derive_keys("sha256", "pencil", b"salt", 2)
    with pytest.raises(LocalProtocolError):
        scram.challenge(keys, "server")
    with pytest.raises(LocalProtocolError):
        scram.final(b"")
    scram.first(b"n,,n=user,r=client")
    with pytest.raises(LocalProtocolError):
        scram.first(b"n,,n=user,r=client")
    with pytest.raises(LocalProtocolError):
        scram.challenge(keys, "a,b")
    scram.challenge(keys, "server")
    with pytest.raises(LocalProtocolError):
        scram.challenge(keys, "server")


def test_decoys_look_alike_each_time_and_let_nobody_in():
    decoy = decoy_keys("sha256", "nobody", b"secret", 4096)
    again = decoy_keys("sha256", "nobody", b"secret", 4096)
    assert (decoy.salt, decoy.stored_key, len(decoy.salt), len(decoy.stored_key)) == (
        again.salt,
        again.stored_key,
        16,
        32,
    )
    assert decoy_keys("sha256", "nobodx", b"secret", 4096).salt != decoy.salt
    assert decoy_keys("sha1", "nobody", b"secret", 4096).salt != decoy.salt
    assert len(decoy_keys("sha1", "nobody", b"secret", 4096).stored_key) == 20
    assert not verify_password("sha256", "", decoy)
    assert not verify_password("sha256", "x", decoy_keys("sha256", "nobody", b"secret", 2))


def test_keys_do_not_show_in_tracebacks():
    assert "pencil" not in repr(derive_keys("sha256", "pencil", b"salt", 2))
    assert "stored_key" not in repr(derive_keys("sha256", "pencil", b"salt", 2))


def test_unknown_mechanisms_are_a_key_error():
    with pytest.raises(KeyError):
        hash_of("SCRAM-MD5")
    with pytest.raises(PayloadError):
        derive_keys("sha256", "", b"salt", 2)
