"""The root of all errors that Parley raises on purpose.

ParleyError
├── ConfigError        a setting is unknown, missing or wrong; names the setting's path
├── SupervisorError    tasks could not be started or kept running
│   ├── SupervisorClosedError   work was handed in after the shutdown had begun
│   └── ServiceFailedError      a service that the process cannot do without gave up
└── (one root per package, in that package's own errors file)

Every error carries a `code`: a stable kebab-case word that clients, tests and metrics may rely on. The message is
free text for the log and for the operator; it is never sent to a peer.
"""

import re

_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class ParleyError(Exception):
    """An expected failure with a stable code.

    Args:
        code: kebab-case word, for instance `config-invalid`. Stable between releases.
        message: what happened, for the log and the operator.

    Raises:
        ValueError: when `code` is not in kebab-case.
    """

    def __init__(self, code: str, message: str) -> None:
        if _CODE.fullmatch(code) is None:
            raise ValueError(f"not a kebab-case error code: {code!r}")
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """Return the message alone; the code has its own attribute."""
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Keep code and attributes when the error crosses a process boundary."""
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(kind: type[ParleyError], args: tuple[object, ...], state: dict[str, object]) -> ParleyError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(ParleyError):
    """Settings that cannot be used.

    Args:
        path: dotted path of the setting, for instance `xmpp.c2s`, or the file's name when it cannot be read.
        message: what is wrong with it and, where that helps, what would be right.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__("config-invalid", f"{path}: {message}")
        self.path = path


class SupervisorError(ParleyError):
    """The supervisor could not start or keep a task."""


class SupervisorClosedError(SupervisorError):
    """Work was handed to a supervisor that is shutting down or not yet open."""

    def __init__(self, name: str) -> None:
        super().__init__("supervisor-closed", f"cannot start {name}: the supervisor is not running")


class ServiceFailedError(SupervisorError):
    """A service that the process cannot do without ended with an error; `__cause__` holds it."""

    def __init__(self, name: str) -> None:
        super().__init__("service-failed", f"service {name} failed")
        self.name = name
