"""The ports on one SQLite file: `store.py` is the door, `writer.py` the one thread that writes.

`database.py` opens and checks, `migrations/` holds the schema, `queries/` every statement by name, one module per port
uses them. Nothing here decides what is stored; it decides that what was acknowledged is stored.
"""
