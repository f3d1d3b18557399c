"""What bounds a server: frozen values, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass, fields

from steelyard.errors import UsageError
from steelyard.types import Role


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, one client and the whole queue may ask for.

    Attributes:
        max_texts: texts or documents in a request.
        max_chars: characters of one text; a text is one call of the engine, which nothing can interrupt.
        max_body: bytes of a request's body.
        queue_requests: requests waiting at once, half of them of one client; more are answered with 429.
        queue_tokens: tokens waiting at once, by estimate; one client may hold half of them.
        deadline: seconds a request may take before it is given up with 503.
        body_seconds: seconds a client may take to send its body.
        all_bodies: bytes of the bodies of all requests under way; more are answered with 429.
    """

    max_texts: int = 2048
    max_chars: int = 32_768
    max_body: int = 16 << 20
    queue_requests: int = 1024
    queue_tokens: int = 1 << 20
    deadline: float = 120.0
    body_seconds: float = 30.0
    all_bodies: int = 256 << 20

    def __post_init__(self) -> None:
        """Refuses limits that let nothing through."""
        for field in fields(self):
            if not getattr(self, field.name) > 0:  # NaN is not
                raise UsageError(f"--{field.name.replace('_', '-')} must be above 0, not {getattr(self, field.name)}")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does where a request leaves it open.

    Attributes:
        default_role: the side a text stands on when a request says nothing.
        truncate: cut texts that are too long and say so, instead of refusing them.
        batch_seconds: how long one call of the engine should take; a query waits for at most one such call.
        hosts: names under which a server without keys answers, beside localhost and IP addresses; ``*`` for any.
    """

    default_role: Role = Role.DOCUMENT
    truncate: bool = False
    batch_seconds: float = 0.1
    hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuses a time that no call can take."""
        if not self.batch_seconds > 0:
            raise UsageError(f"--batch-seconds must be above 0, not {self.batch_seconds}")
