"""One reader for each form that a user's files come in."""
