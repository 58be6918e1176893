"""Ad-hoc commands (XEP-0050): what a client can have done step by step, with forms.

Here: what a command is (`command.py`), the ones in progress and their steps (`running.py`), reading of filled-in forms
(`reading.py`), the administration of the service (`service_administration.py`). Not here: syntax
(`protocols/xmpp/commands.py`), what the commands do (the domain's `Administration`). An extension declares its commands
in its constant; to add one, copy the smallest in `extensions/xep_0401_invitations.py`.
"""
