"""The client's side of SCRAM (RFC 5802), for the tests only."""

import base64
import hashlib
import hmac

from parley.protocols.xmpp.sasl import prepare_password


class ScramClient:
    def __init__(
        self,
        hash_name: str,
        username: str,
        password: str,
        nonce: str = "client",
        *,
        binding: tuple[str, bytes] | None = None,
        flag: str = "n",
        authzid: str = "",
    ) -> None:
        self.hash_name, self.password = hash_name, password
        name = username.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={nonce}"
        acting_as = "a=" + authzid.replace("=", "=3D").replace(",", "=2C") if authzid else ""
        self.gs2 = f"{f'p={binding[0]}' if binding else flag},{acting_as},"
        self.binding = binding[1] if binding else b""
        self.server_signature = b""

    def first(self) -> bytes:
        return (self.gs2 + self.bare).encode()

    def final(self, challenge: bytes) -> bytes:
        attributes = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salted = hashlib.pbkdf2_hmac(
            self.hash_name,
            prepare_password(self.password).encode(),
            base64.b64decode(attributes["s"]),
            int(attributes["i"]),
        )
        client_key = self._mac(salted, b"Client Key")
        without_proof = f"c={base64.b64encode(self.gs2.encode() + self.binding).decode()},r={attributes['r']}"
        message = f"{self.bare},{challenge.decode()},{without_proof}".encode()
        signature = self._mac(hashlib.new(self.hash_name, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.server_signature = self._mac(self._mac(salted, b"Server Key"), message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def accepts(self, server_final: bytes) -> bool:
        return server_final == b"v=" + base64.b64encode(self.server_signature)

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self.hash_name)
