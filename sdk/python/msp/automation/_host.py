"""Carries out what the declared functions say: hands values over, takes answers, and raises what the host refuses.

A declaration is the whole truth: parameters, records and answers are converted by their annotations. What the component's boundary would
not take ends here in a `TypeError` or `ValueError`, and not in a trap.
"""

import dataclasses
import enum
import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

U8 = Annotated[int, range(2**8)]
U16 = Annotated[int, range(2**16)]
U32 = Annotated[int, range(2**32)]
U64 = Annotated[int, range(2**64)]
S32 = Annotated[int, range(-(2**31), 2**31)]
S64 = Annotated[int, range(-(2**63), 2**63)]


class Opened:
    """Something that only the host makes."""

    def __init__(self, handle: object) -> None:
        self._handle = handle


class State:
    """Whether a run has begun. Before, the plugin is being built, and what its modules do at their top is done once, there."""

    begun = False


def native(interface: str) -> Any:
    """What the component's toolchain has bound of an interface; nothing outside of a component, or where it is not used."""
    name = interface.replace("-", "_")
    for side in ("imports", "exports"):
        try:
            return importlib.import_module(f"wit_world.{side}.{name}")
        except ImportError:
            continue
    return None


def host(interface: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function of an interface, as its declaration says."""
    # Now, while the plugin is built: there are no files in a run.
    bound = native(interface)

    def declared(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__
        signature = inspect.signature(function)
        hints = typing.get_type_hints(function, include_extras=True)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            if bound is None:
                raise RuntimeError(f"`{name}` asks the host, and there is none: `remit test` has one, and a unit test puts a fake in its place")
            if not State.begun:
                raise RuntimeError(f"`{name}` asks the host, and there is none while the plugin is built: call it in `detect` or `remediate`")
            try:
                handed = [hand(value, hints[param], param) for param, value in given.arguments.items()]
            except (TypeError, ValueError) as wrong:
                raise type(wrong)(f"{name}: {wrong}") from None
            try:
                answer = getattr(bound, name)(*handed)
            except Exception as error:
                refused = getattr(error, "value", None)
                if type(error).__name__ != "Err" or refused is None:
                    raise
            else:
                return typing.cast(R, take(answer, hints["return"]))
            raise failure(refused)

        return call

    return declared


def failure(refused: Any) -> Exception:
    """What the host refused, to be raised."""
    from msp.automation.types import HostError

    error: HostError = take(refused, HostError)
    return error


def hand(value: Any, hint: Any, path: str) -> Any:
    """A value as the component's boundary takes it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in args:
            return [] if any(typing.get_origin(arg) is dict for arg in args) else None
        if bytes in args and isinstance(value, str):
            return value.encode()
        return hand(value, args[0], path)
    if origin is Annotated:
        return whole(value, args[1], path)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise wrong(value, "a dict", path)
        return [(hand(name, str, path), hand(text, str, f"{path}[{name!r}]")) for name, text in value.items()]
    if origin in (list, Sequence):
        return [hand(item, args[0], f"{path}[{at}]") for at, item in enumerate(items(value, path))]
    if origin is tuple:
        pair = tuple(items(value, path))
        if len(pair) != len(args):
            raise wrong(value, "a pair", path)
        return tuple(hand(item, arg, path) for item, arg in zip(pair, args))
    return hand_plain(value, hint, path)


def hand_plain(value: Any, hint: Any, path: str) -> Any:
    """The same of a type without parameters."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is bytes and isinstance(value, bytearray):
        return bytes(value)
    if issubclass(hint, enum.StrEnum):
        try:
            word = hint(value)
        except ValueError:
            words = ", ".join(f"`{word}`" for word in hint)
            raise ValueError(f"`{path}` must be one of {words}, and is {value!r}") from None
        return getattr(native(home(hint)), hint.__name__)[word.name]
    if not isinstance(value, hint):
        raise wrong(value, f"a {hint.__name__}", path)
    if isinstance(value, Opened):
        return value._handle
    if isinstance(value, Exception) or dataclasses.is_dataclass(value):
        fields = {name: hand(getattr(value, name), of, f"{path}.{name}") for name, of in fields_of(hint).items()}
        name = "Error" if isinstance(value, Exception) else hint.__name__
        return getattr(native(home(hint)), name)(**fields)
    return value


def whole(value: Any, within: range, path: str) -> int:
    """A whole number that fits."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(value, "an int", path)
    if value not in within:
        raise ValueError(f"`{path}` must be a whole number from {within.start} to {within.stop - 1}, and is {value}")
    return value


def items(value: Any, path: str) -> Sequence[Any]:
    """What a list is made of; a text is none."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise wrong(value, "a list", path)
    return value


def wrong(value: object, wanted: str, path: str) -> TypeError:
    """That a value is something else."""
    return TypeError(f"`{path}` must be {wanted}, and is {type(value).__name__}")


def take(value: Any, hint: Any) -> Any:
    """What the host answers, as it is declared."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if value is None or origin is Annotated:
        return value
    if origin in (typing.Union, types.UnionType):
        return take(value, args[0])
    if origin is dict:
        return dict(value)
    if origin is list:
        return [take(item, args[0]) for item in value]
    if origin is tuple:
        return tuple(take(item, arg) for item, arg in zip(value, args))
    if issubclass(hint, Opened):
        return hint(value)
    if issubclass(hint, enum.StrEnum):
        return hint[value.name]
    if issubclass(hint, Exception) or dataclasses.is_dataclass(hint):
        return hint(**{name: take(getattr(value, name), of) for name, of in fields_of(hint).items()})
    return value


@functools.cache
def fields_of(record: Any) -> dict[str, Any]:
    """The fields of a record, with their types."""
    hints = typing.get_type_hints(record.__init__, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return"}


def home(record: Any) -> str:
    """The interface that a type belongs to."""
    return str(record.__module__).rpartition(".")[2]
