"""Runs one benchmark or all: `python -m bench [NAME]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from bench import report


def names() -> list[str]:
    """Modules of this folder that have a function `bench`, found by their text so that none is imported for nothing."""
    folder = Path(__file__).parent
    modules = (module.name for module in pkgutil.iter_modules([str(folder)]))
    return [name for name in modules if "\ndef bench() -> " in (folder / f"{name}.py").read_text()]


def main(arguments: list[str]) -> int:
    """Run, print, save; status 2 for an unknown name, 1 when a goal is missed."""
    wanted = arguments or names()
    if unknown := set(wanted) - set(names()):
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    is_met = True
    for name in wanted:
        result = importlib.import_module(f"bench.{name}").bench()
        print(report.table(result))
        report.save(result)
        is_met = is_met and all(figure.met for figure in result.figures)
    report.write_page()
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
