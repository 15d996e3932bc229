"""How a command ends: its exit code, and one sentence on standard error that says what to do next.

Every command runs through `carried_out`. A traceback is shown only with ``--debug``; no sentence holds a secret, an
address or the query of a URL. The codes are part of the command line's promise (docs/shell.md).
"""

import enum
import inspect
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Awaitable, Callable
from typing import cast

import anyio

from ongage_async.errors import (
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    CSVError,
    DecodeError,
    InvalidInputError,
    JobTimeoutError,
    JournalError,
    OngageError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    StagingError,
    TransportError,
    mask,
)

__all__ = ["Exit", "UsageError", "carried_out", "complain", "exit_of", "laid_out"]


class Exit(enum.IntEnum):
    """Say how a command ended."""

    OK = 0
    """All is well, and every row is accounted for."""
    FAILED = 1
    """The work was done and its outcome is bad: an import failed, rows were rejected, the vendor said no."""
    USAGE = 2
    """The command line, a source file or a journal is wrong; nothing was sent."""
    CONFIGURATION = 3
    """A setting is missing or wrong, or the credentials are not accepted."""
    BUDGET = 4
    """The account's budget or a pause did not let the call through in time; the same command works later."""
    VENDOR = 5
    """The network or the vendor failed; the same command goes on, or may be tried again."""
    INTERRUPTED = 130
    """Ctrl-C."""


class UsageError(Exception):
    """The command line asks for something that cannot be; the sentence says what to write instead."""


_EXITS: tuple[tuple[tuple[type[BaseException], ...], Exit], ...] = (
    ((UsageError, CSVError, InvalidInputError, JournalError, FileNotFoundError), Exit.USAGE),
    ((ConfigurationError, AuthenticationError, PermissionDeniedError), Exit.CONFIGURATION),
    ((BudgetError, RateLimitedError), Exit.BUDGET),
    ((TransportError, ServerError, DecodeError, StagingError, JobTimeoutError), Exit.VENDOR),
)

_ADVICE: tuple[tuple[type[OngageError], str], ...] = (
    (
        AuthenticationError,
        "Give the right credentials (ongage config login, or ONGAGE_* variables), then: ongage doctor",
    ),
    (PermissionDeniedError, "Ask for API access or the right to this list, then: ongage doctor"),
    (BudgetError, "See: ongage budget"),
    (RateLimitedError, "See: ongage budget"),
    (TransportError, "Look at the network: ongage doctor"),
    (ServerError, "Try again later"),
)


def exit_of(error: BaseException) -> Exit:
    """Return the exit code that an error stands for."""
    return next((code for kinds, code in _EXITS if isinstance(error, kinds)), Exit.FAILED)


def carried_out(
    work: Callable[[], int] | Callable[[], Awaitable[int]], *, debug: bool = False, goes_on: Callable[[], str] = str
) -> int:
    """Do the work and return the exit code; what went wrong is told on standard error.

    Args:
        work: Returns the exit code of what it did. What asks a person is a plain function, since an event loop keeps
            Ctrl-C from ending a prompt.
        debug: Show the traceback of an error.
        goes_on: Says how to go on after Ctrl-C or trouble on the way; asked only then.
    """
    try:
        return anyio.run(work) if inspect.iscoroutinefunction(work) else cast("int", work())
    except KeyboardInterrupt:
        return complain(f"Interrupted. {goes_on()}".rstrip(), Exit.INTERRUPTED)
    except BrokenPipeError:  # `ongage … | head`: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as caught:  # noqa: BLE001 - the last place where an error can be told
        if debug:
            traceback.print_exception(caught)
        error = _alone(caught)
        code = exit_of(error)
        tail = goes_on() if code in (Exit.BUDGET, Exit.VENDOR) else ""
        return complain(f"{_sentence(error)} {tail}".rstrip(), code)


def complain(words: str, code: int) -> int:
    """Say what is wrong; return the exit code."""
    sys.stderr.write(f"{laid_out(f'ongage: {words}')}\n")
    sys.stderr.flush()
    return code


def laid_out(words: str) -> str:
    """Break lines between words on a terminal; an indented line is a command to copy, and stays whole."""
    if not sys.stderr.isatty():
        return words
    width = shutil.get_terminal_size().columns
    return "\n".join(
        line if line.startswith("  ") else textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in words.splitlines()
    )


def _alone(error: Exception) -> Exception:
    """Return the error that a task group has wrapped."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _sentence(error: Exception) -> str:
    match error:
        case OngageError():
            advice = next((words for kind, words in _ADVICE if isinstance(error, kind)), "")
            return " ".join(filter(None, (_ended(str(error)), _ended(advice))))
        case UsageError():
            return _ended(str(error))
        case OSError():
            return _ended(f"{error.filename or 'this machine'}: {error.strerror or type(error).__name__}")
        case _:
            return _ended(mask(f"unexpected {type(error).__name__}: {error}")) + " See more with --debug."


def _ended(words: str) -> str:
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."
