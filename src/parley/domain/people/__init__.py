"""What a person decides and keeps about themselves: whom they block and report, their card, their private data.

Here: values, the matching of blocked addresses, and the ports. Not here: accounts, contacts and subscriptions, which
are beside this package; nor any protocol. To add a subject, copy `personal.py` and give `ports.py` its methods.
"""
