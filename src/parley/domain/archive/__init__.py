"""What is known of archives beside their messages.

Here: what an account wants kept (`preferences.py`), its conversations with what is unread (`inbox.py`), and the doors
to both and to the index of words (`ports.py`). Not here: messages and pages of them (`domain/messages.py`).
"""
