"""A value that is made at its first use, once, whichever thread comes first."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """Calls ``make`` at the first :meth:`get`; :meth:`drop` forgets the value, and the next get makes it again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._value: T | None = None

    def get(self) -> T:
        """The value, made if need be."""
        value = self._value
        if value is None:
            with self._lock:
                value = self._value
                if value is None:
                    value = self._value = self._make()
        return value

    def drop(self) -> T | None:
        """Forgets the value and gives it out, where there was one."""
        with self._lock:
            value, self._value = self._value, None
        return value
