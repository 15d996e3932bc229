"""Ask a person before something that cannot be called back; where nobody can be asked, it is refused."""

import sys

from ongage_async.cli._ending import UsageError

__all__ = ["ask"]


def ask(question: str, *, yes: bool, stdin_is_used: bool = False) -> bool:
    """Return whether it may be done.

    Args:
        question: What it is, with a question mark.
        yes: It was said on the command line.
        stdin_is_used: The standard input holds something else than answers.

    Raises:
        UsageError: There is nobody to ask.
    """
    if yes:
        return True
    if stdin_is_used or not sys.stdin.isatty():
        raise UsageError("this cannot be called back, and there is nobody to ask: say --yes if you mean it")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    sys.stderr.write("Nothing was done.\n")
    return False
