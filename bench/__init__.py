"""Every figure that Parley quotes, measured against its peer in the same run: `python -m bench [NAME]`.

A benchmark is a module with a function `bench() -> Result`; `xmpp_route.py` is one to copy. `report.py` writes
`bench/results/NAME.json` and, from all of these, `docs/benchmarks.md`.
"""
