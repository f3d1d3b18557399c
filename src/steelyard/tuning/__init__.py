"""Models made better for a domain: so far, checkpoints merged into one."""
