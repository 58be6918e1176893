"""Accounts that move: out as XEP-0227, in from it and from the data folder of a Prosody server.

Here: what moves (`records.py`), the format of XEP-0227 (`reading.py`, `writing.py`), Prosody's files (`lua_tables.py`,
`prosody.py`), storing (`storing.py`, `mailing.py`). Not here: commands (`app/commands`). To add a source, copy
`prosody.py`: it yields records and says in a remark what of an account it could not read.
"""
