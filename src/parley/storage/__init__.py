"""The durable storage behind `domain/ports.py`: databases, blobs, migrations, and the same ports in memory.

Here: `sqlite/` (one database file, one writer thread), `memory/` (for tests), `blobs.py` (contents of uploads). All SQL
of Parley is in here. Not here: what a message means, who may read it, when something is swept. To add a store, copy
`sqlite/conversations.py` with its `queries/conversations.sql` and its twin in `memory/`; the contract suite tests both.
"""
