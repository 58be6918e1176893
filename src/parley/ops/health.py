"""Whether the server is ready, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[str | None]]
"""Returns None when its part is ready, else a short reason in kebab-case, such as `starting` or `disk-full`."""


class Health:
    """Named checks. Not ready while any of them gives a reason, fails or takes too long.

    Args:
        timeout_s: what one check may take, in seconds; then its reason is `timeout`.
    """

    def __init__(self, timeout_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._checks: dict[str, Check] = {}
        self._is_draining = False

    def add(self, name: str, check: Check) -> None:
        """Add a check under a name such as `storage`.

        Raises:
            ValueError: when the name is taken.
        """
        if name in self._checks:
            raise ValueError(f"a check named {name} exists already")
        self._checks[name] = check

    def drain(self) -> None:
        """Say from now on that the server is not ready, so that no new clients are sent here."""
        self._is_draining = True

    async def problems(self) -> dict[str, str]:
        """Run all checks at once; return the reasons by name, empty when everything is ready."""
        results = await asyncio.gather(*(self._run(check) for check in self._checks.values()))
        found = {name: reason for name, reason in zip(self._checks, results, strict=True) if reason is not None}
        if self._is_draining:
            found["server"] = "draining"
        return found

    async def _run(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await check()
        except TimeoutError:
            return "timeout"
        except Exception:
            # A check that fails tells the same as one that says no; why is in the log of the part itself.
            return "failed"
