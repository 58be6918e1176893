"""Who somebody is: signing in, for every protocol alike.

Here: looking credentials up without telling whether an account exists, throttling, making credentials from passwords.
Not here: SASL's syntax (`protocols/xmpp`), the storage of credentials (`storage`), roles and provisioning (to come).
To add a way to sign in, copy `sign_in.py`.
"""
