"""Attributes that are computed at their first use, safely from several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class lazy_property(Generic[Value]):  # noqa: N801 - used as a decorator, like functools.cached_property
    """Like functools.cached_property, with a lock for each instance.

    In Python 3.11 cached_property has one lock for all instances of a class: while one visitor's face is prepared, all
    others would wait. The value lives in the instance's `__dict__`, also of a frozen dataclass.
    """

    def __init__(self, function: Callable[[Any], Value]):
        self.function, self.__doc__ = function, function.__doc__
        self._guard = threading.Lock()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.lock_name = name, f"_lock_of_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> lazy_property[Value]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        values = instance.__dict__
        if self.name not in values:
            with self._guard:  # held for a moment only: while the instance's own lock is made
                lock = values.setdefault(self.lock_name, threading.RLock())
            with lock:
                if self.name not in values:
                    values[self.name] = self.function(instance)
                values.pop(self.lock_name, None)  # a lock can be neither pickled nor copied
        return values[self.name]
