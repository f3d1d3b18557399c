"""Models whose weights come inside packages: no account, no model hub, no GPU."""
