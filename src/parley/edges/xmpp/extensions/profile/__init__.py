"""Cards, avatars and bookmarks in their older and newer forms, and what one becomes in the other.

Here: what several of the extensions beside this package share. Not here: their constants and requests. To add a form,
copy `bookmarks.py`: two functions that convert, and one for each side that keeps the other in step.
"""
