"""How long to keep asking; apart from the HTTP client, which is slow to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to keep trying; times in seconds.

    Attributes:
        attempts: requests in all, the first included.
        patience: from the first attempt to the last, waits included.
        wait_initial: the first wait; it doubles each time.
        wait_max: the longest wait, where the server does not name a longer one by Retry-After.
        wait_jitter: up to so much is added to each wait, so that clients do not return together.
    """

    attempts: int = 6
    patience: float = 180.0
    wait_initial: float = 0.2
    wait_max: float = 10.0
    wait_jitter: float = 0.5
