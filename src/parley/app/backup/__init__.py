"""Backups: everything of a server in one tar file, checked as a whole before any of it is believed.

`archive.py` is the file's format, `creating.py` writes one beside a running server, `restoring.py` reads it: to verify
it, or to put it in place. How the database itself is copied and checked belongs to `storage/sqlite/backup.py`.
"""
