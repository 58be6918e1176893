"""Who knows whom and who is there: rosters, subscriptions, presence, blocking, strangers."""
