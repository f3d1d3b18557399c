"""The front door for Python: what ``import steelyard as sy`` offers, one file a subject."""
