"""The server's side of SCRAM (RFC 5802, RFC 7677), with channel binding (-PLUS), sans-IO.

    ScramServer.first(client-first)   -> ScramFirst, whose user the caller looks up
    ScramServer.challenge(keys, ...)  -> server-first
    ScramServer.final(client-final)   -> server-final, or SASLError

An unknown user gets `decoy_keys`, so that strangers cannot tell who has an account.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.errors import LocalProtocolError, PayloadError, SASLCondition, SASLError, ScramError
from parley.protocols.xmpp.sasl import decode_payload, prepare_password

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HASHES: Final[Mapping[str, str]] = MappingProxyType(
    {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
)
"""The hash function, by hashlib's name, of each mechanism; its -PLUS variant has the same."""

BINDING_ERRORS: Final = frozenset(
    {
        "channel-bindings-dont-match",
        "server-does-support-channel-binding",
        "channel-binding-not-supported",
        "unsupported-channel-binding-type",
    }
)
"""Codes of errors that say nothing of a password: the client's channel is another one than the server's, or its choice
of a channel binding."""

_PLUS: Final = "-PLUS"
_BINDING_NAME: Final = re.compile(r"[A-Za-z0-9.-]+")
_NONCE: Final = re.compile(r"[!-+\--~]+")  # RFC 5802 §7: printable, without the comma
_EXTENSION: Final = re.compile(r"[A-Za-z]=[^,\0]+")
_SASL_NAME: Final = re.compile(r"(?:[^=,\0]|=2C|=3D)+")


@dataclass(frozen=True, slots=True, repr=False)
class ScramKeys:
    """What a server stores of a password for one hash function (RFC 5802 §3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class ScramFirst:
    """What the client's first message says.

    Attributes:
        username: who wants in, decoded but not prepared.
        authzid: whom they want to act as, "" when absent.
        binding: the channel binding in use, None without one.
    """

    username: str
    authzid: str
    binding: str | None


def hash_of(mechanism: str) -> str:
    """The hash function of a mechanism's name, -PLUS or not; raises KeyError for one that is not SCRAM."""
    return HASHES[mechanism.removesuffix(_PLUS)]


def hash_size(hash_name: str) -> int:
    """Bytes of a hash, and of a salted password."""
    return hashlib.new(hash_name).digest_size


def offer_hash(mechanism: str, mechanisms: Iterable[str], channel_bindings: Iterable[str]) -> str:
    """The attribute `h` (XEP-0474 §5.1): what was offered, so that the client notices when somebody changed it.

    Args:
        mechanism: the one in use, whose hash is taken.
        mechanisms: all that were offered by the profile of SASL in use.
        channel_bindings: names of those that were announced (XEP-0440), if any.
    """
    said = "\x1e".join(sorted(mechanisms))
    bindings = sorted(channel_bindings)
    if bindings:
        said += "\x1f" + "\x1e".join(bindings)
    digest = hashlib.new(hash_of(mechanism), said.encode()).digest()
    return f"h={base64.b64encode(digest).decode()}"


def derive_keys(hash_name: str, password: str, salt: bytes, iterations: int) -> ScramKeys:
    """The keys of `password`. Costs `iterations` hashes: milliseconds, not for an event loop.

    Args:
        hash_name: as in `HASHES`.
        password: in clear; it is prepared here.
        salt: random bytes, 16 or more.
        iterations: RFC 5802 §5.1 wants 4,096 or more.

    Raises:
        PayloadError: the password cannot be prepared.
    """
    salted = hashlib.pbkdf2_hmac(hash_name, prepare_password(password).encode(), salt, iterations)
    return keys_of_salted(hash_name, salted, salt, iterations)


def keys_of_salted(hash_name: str, salted: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """The keys that follow from a salted password (RFC 5802 §3), made with `salt` and so many rounds."""
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    server_key = hmac.digest(salted, b"Server Key", hash_name)
    return ScramKeys(salt, iterations, hashlib.new(hash_name, client_key).digest(), server_key)


def verify_password(hash_name: str, password: str, keys: ScramKeys) -> bool:
    """Whether `password` is the one that `keys` were derived from; costs as much as `derive_keys`."""
    try:
        derived = derive_keys(hash_name, password, keys.salt, keys.iterations)
    except PayloadError:
        return False
    return hmac.compare_digest(derived.stored_key, keys.stored_key)


def decoy_keys(hash_name: str, username: str, secret: bytes, iterations: int) -> ScramKeys:
    """Keys that no password fits, the same for each `username` as long as `secret` (random, of the server) is."""
    seed = hmac.digest(secret, f"{hash_name} {username}".encode(errors="surrogatepass"), "sha512")
    size = hash_size(hash_name)
    stored_key = hmac.digest(seed, b"stored", "sha512")[:size]
    server_key = hmac.digest(seed, b"server", "sha512")[:size]
    return ScramKeys(seed[:16], iterations, stored_key, server_key)


class ScramServer:
    """One exchange. The three methods are called once each, in order.

    Args:
        mechanism: as the client chose it, for example "SCRAM-SHA-256-PLUS".
        channel_bindings: the data of each channel binding that this connection has, by its registered name.
        is_plus_offered: whether the client was offered a -PLUS mechanism.
    """

    __slots__ = (
        "_binding",
        "_bindings",
        "_client_first",
        "_gs2",
        "_hash",
        "_is_plus",
        "_is_plus_offered",
        "_keys",
        "_nonce",
        "_server_first",
    )

    def __init__(self, mechanism: str, channel_bindings: Mapping[str, bytes], is_plus_offered: bool) -> None:
        self._hash = hash_of(mechanism)
        self._is_plus = mechanism.endswith(_PLUS)
        self._bindings = channel_bindings
        self._is_plus_offered = is_plus_offered
        self._gs2 = ""
        self._binding = b""
        self._client_first = ""
        self._server_first = ""
        self._nonce = ""
        self._keys: ScramKeys | None = None

    def first(self, data: bytes) -> ScramFirst:
        """Read the client's first message.

        Raises:
            ScramError: malformed-request, or not-authorized when somebody seems to have hidden -PLUS from the client.
        """
        if self._client_first:
            raise LocalProtocolError("the first message was read already")
        flag, authzid, self._client_first = _split(_text(data), 3, 2)
        self._gs2 = f"{flag},{authzid},"
        binding = self._check_flag(flag)
        if self._client_first.startswith("m="):
            raise _unknown_extension()
        name, nonce, *extensions = _split(self._client_first, 2)
        self._nonce = _value(nonce, "r")
        if not _NONCE.fullmatch(self._nonce):
            raise _malformed("the nonce")
        _check_extensions(extensions)
        return ScramFirst(_sasl_name(_value(name, "n")), _sasl_name(_value(authzid, "a")) if authzid else "", binding)

    def challenge(self, keys: ScramKeys, server_nonce: str, extensions: str = "") -> bytes:
        """The server's first message.

        Args:
            keys: of the user that `first` named, or decoys.
            server_nonce: at least 18 random bytes in base64, fresh.
            extensions: more attributes, for example `h=...` (XEP-0474), without a comma in front.
        """
        if not self._client_first or self._server_first or not _NONCE.fullmatch(server_nonce):
            raise LocalProtocolError("a challenge comes once, behind the first message, with a printable nonce")
        self._keys = keys
        self._nonce += server_nonce
        salt = base64.b64encode(keys.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={keys.iterations}" + (f",{extensions}" if extensions else "")
        return self._server_first.encode()

    def final(self, data: bytes) -> bytes:
        """Check the client's proof and return the server's final message, which is sent with success.

        Raises:
            ScramError: malformed-request; not-authorized when proof, nonce or channel binding do not fit.
        """
        if self._keys is None:
            raise LocalProtocolError("there was no challenge")
        keys, self._keys = self._keys, None
        text = _text(data)
        without_proof, _, proof_text = text.rpartition(",p=")
        binding, nonce, *extensions = _split(without_proof, 2)
        _check_extensions(extensions)
        proof = _base64(proof_text, "the proof")
        sent_binding = _base64(_value(binding, "c"), "the channel binding")
        message = f"{self._client_first},{self._server_first},{without_proof}".encode()
        signature = hmac.digest(keys.stored_key, message, self._hash)
        if len(proof) != len(signature):
            raise _malformed("the proof")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        # All of them, whatever the first says: a peer learns nothing from how long it took.
        is_bound = hmac.compare_digest(sent_binding, self._gs2.encode() + self._binding)
        is_fresh = hmac.compare_digest(_value(nonce, "r").encode(), self._nonce.encode())
        is_proved = hmac.compare_digest(hashlib.new(self._hash, client_key).digest(), keys.stored_key)
        if not (is_fresh & is_proved):
            raise ScramError(SASLCondition.NOT_AUTHORIZED, "invalid-proof")
        if not is_bound:
            # Told to who has the password only: its connection does not end here, or its header was changed on the way.
            reason = "channel-bindings-dont-match"
            raise ScramError(SASLCondition.NOT_AUTHORIZED, reason, "the channel bindings do not match")
        return b"v=" + base64.b64encode(hmac.digest(keys.server_key, message, self._hash))

    def _check_flag(self, flag: str) -> str | None:
        """The channel binding that the client's GS2 flag names (RFC 5802 §6)."""
        if flag.startswith("p="):
            name = flag[2:]
            if not _BINDING_NAME.fullmatch(name):
                raise _malformed("the channel binding flag")
            if not self._is_plus:
                raise _binding_refused("channel-binding-not-supported", "the mechanism has no channel binding")
            if name not in self._bindings:
                raise _binding_refused(
                    "unsupported-channel-binding-type", "this connection has no such channel binding"
                )
            self._binding = self._bindings[name]
            return name
        if self._is_plus or flag not in {"n", "y"}:
            raise _malformed("the channel binding flag")
        # RFC 5802 §6: "y" says that the client could but was not offered to. It was: somebody took it out.
        if flag == "y" and self._is_plus_offered:
            reason = "server-does-support-channel-binding"
            raise ScramError(SASLCondition.NOT_AUTHORIZED, reason, "channel binding was offered")
        return None


def _malformed(what: str, reason: str = "other-error") -> ScramError:
    return ScramError(SASLCondition.MALFORMED_REQUEST, reason, f"{what} is malformed")


def _binding_refused(reason: str, text: str) -> ScramError:
    return ScramError(SASLCondition.MALFORMED_REQUEST, reason, text)


def _unknown_extension() -> ScramError:
    # RFC 5802 §5.1: "m=" stands for an extension that is not to be gone on without, and there is none.
    return ScramError(SASLCondition.MALFORMED_REQUEST, "extensions-not-supported", "an extension is not known")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _malformed("the message", "invalid-encoding") from error


def _split(text: str, at_least: int, times: int = -1) -> list[str]:
    parts = text.split(",", times)
    if len(parts) < at_least:
        raise _malformed("the message")
    return parts


def _value(attribute: str, key: str) -> str:
    name, equals, value = attribute.partition("=")
    if name != key or not equals or not value:
        raise _malformed(f"attribute {key}")
    return value


def _sasl_name(value: str) -> str:
    if not _SASL_NAME.fullmatch(value):
        raise _malformed("a name", "invalid-username-encoding")
    return value.replace("=2C", ",").replace("=3D", "=")


def _check_extensions(extensions: list[str]) -> None:
    if not all(map(_EXTENSION.fullmatch, extensions)):
        raise _malformed("an extension")
    if any(extension.startswith("m=") for extension in extensions):
        raise _unknown_extension()


def _base64(text: str, what: str) -> bytes:
    try:
        return decode_payload(text)
    except SASLError as error:
        raise _malformed(what, "invalid-encoding") from error
