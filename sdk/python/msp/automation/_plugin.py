"""A plugin's exports as the host calls them: what it raises and does not catch becomes the contract's error, and no trap."""

import importlib
import inspect
import logging
import sys
import traceback
from types import ModuleType
from typing import Any

from msp.automation import run
from msp.automation._host import State, hand, take
from msp.automation.detection import Report
from msp.automation.remediation import Remedy
from msp.automation.types import Attributes, ErrorKind, Finding, HostError

# Where the toolchain has the plugin's own modules: the second folder that it is told of.
FOLDER = "/1/"
MESSAGE_BYTES_MAX = 1 << 10
ATTRIBUTE_BYTES_MAX = 4 << 10

# Now, while the plugin is built: there are no files in a run.
ERR: Any = importlib.import_module("componentize_py_types").Err


class Log(logging.Handler):
    """What is logged stands in the run's log."""

    def emit(self, record: logging.LogRecord) -> None:
        levels = [(logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (logging.DEBUG, "debug")]
        level = next((word for least, word in levels if record.levelno >= least), "trace")
        run.log(run.LogLevel(level), self.format(record))


def begin() -> None:
    """A run begins."""
    if State.begun:
        return
    State.begun = True
    logging.basicConfig(handlers=[Log()], level=logging.DEBUG, format="%(message)s")
    # Seeded when the plugin was built, it would give the same numbers in every run; a replay has the same.
    if seeded := sys.modules.get("random"):
        seeded.seed(run.get_context().run_id)


def exports(author: ModuleType, main: str, root: str) -> tuple[type, type]:
    """The exports of a plugin whose modules are imported from a folder of its project, and begin with one of them."""

    def called(name: str, answer: type, *args: Any) -> Any:
        try:
            begin()
            given = getattr(author, name)(*args)
        except BaseException as raised:
            raise err(failed(raised, main, root)) from None
        try:
            if inspect.iscoroutine(given):
                given.close()
                raise TypeError("a coroutine, which nobody waits for: the host answers at once, so leave out `async`")
            return hand(given, answer, name)
        except (TypeError, ValueError) as wrong:
            message = f"{main}: what `{name}` answered: {wrong}"
            raise err(HostError(kind=ErrorKind.OTHER, code="answer", message=cut(message, MESSAGE_BYTES_MAX), attributes={"file": main})) from None

    class Detection:
        def detect(self) -> Any:
            return called("detect", Report)

    class Remediation:
        def remediate(self, findings: list[Any]) -> Any:
            return called("remediate", Remedy, take(findings, list[Finding]))

    return Detection, Remediation


def failed(raised: BaseException, main: str, root: str) -> HostError:
    """What was raised, with its place in the plugin's own code."""
    frames = [frame for frame in traceback.extract_tb(raised.__traceback__) if frame.filename.startswith(FOLDER)]
    files = [root + frame.filename.removeprefix(FOLDER) for frame in frames]
    # The innermost first, as in every other language.
    lines = [f"    at {frame.name} ({file}:{frame.lineno})" for frame, file in zip(frames, files)]
    line, column = (frames[-1].lineno, (frames[-1].colno or 0) + 1) if frames else (None, None)
    if isinstance(raised, HostError):
        kind, code, message, retry, attributes = raised.kind, raised.code, raised.message, raised.retry_after_ms, raised.attributes
    else:
        kind, code, retry, attributes = ErrorKind.OTHER, "threw", None, {}
        message = "".join(traceback.format_exception_only(raised)).strip()
    file = files[-1] if files else main
    place: Attributes = {"file": file}
    if line is not None:
        place |= {"line": str(line), "column": str(column)}
    if lines:
        place["stack"] = "\n".join([message, *reversed(lines)])
    where = file if line is None else f"{file}:{line}:{column}"
    kept = {name: cut(value, ATTRIBUTE_BYTES_MAX) for name, value in (attributes | place).items()}
    return HostError(kind=kind, code=code, message=cut(f"{where}: {message}", MESSAGE_BYTES_MAX), retry_after_ms=retry, attributes=kept)


def err(error: HostError) -> Exception:
    """An error as the component's toolchain raises it."""
    raised: Exception = ERR(hand(error, HostError, "error"))
    return raised


def cut(text: str, most: int) -> str:
    """At most so many bytes of a text."""
    return text.encode(errors="replace")[:most].decode(errors="ignore")

