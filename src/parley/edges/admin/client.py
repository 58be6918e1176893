"""Asks a running server, from a command. Blocks: a command has nothing else to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from parley.edges.admin.errors import Broken, NotListening, Refusal
from parley.edges.admin.socket_path import MAX_LINE_BYTES, short_path

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 600.0
"""Removing an account with a large archive takes minutes."""


class AdminClient:
    """A connection to the server that listens at `path`. A context manager.

    Raises:
        NotListening: on entering, when there is no such server.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        try:
            self._socket.settimeout(_CONNECT_S)
            with short_path(self._path) as name:
                self._socket.connect(name)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self._socket.close()
            raise NotListening(str(self._path)) from error
        except OSError as error:
            self._socket.close()
            raise Broken(f"{self._path}: {error.strerror or error}") from error
        self._socket.settimeout(_ANSWER_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, line: bytes) -> dict[str, Any]:
        """Send a request and return its result.

        Args:
            line: the request, without a line's end.

        Raises:
            Refusal: the server says no.
            Broken: there is no answer.
        """
        try:
            self._socket.sendall(line + b"\n")
            with self._socket.makefile("rb") as answers:
                answer = answers.readline(MAX_LINE_BYTES)
        except OSError as error:
            raise Broken(f"the server does not answer: {error}") from error
        if not answer.endswith(b"\n"):
            raise Broken("the server closed the connection without an answer")
        document = json.loads(answer)
        if "error" in document:
            raise Refusal(document["error"]["code"], document["error"]["message"])
        result: dict[str, Any] = document["result"]
        return result
