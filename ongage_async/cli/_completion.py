"""``ongage completion``: the script that completes commands and options in bash, zsh or fish."""

from typing import Literal

from ongage_async.cli import _output
from ongage_async.cli._ending import Exit

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the script that completes `ongage` in a shell.

    bash: `source <(ongage completion bash)` in ~/.bashrc. zsh: write it to a file `_ongage` in your fpath.
    fish: write it to ~/.config/fish/completions/ongage.fish.

    Parameters
    ----------
    shell:
        Which shell.
    """
    from ongage_async.cli._app import app

    _output.say(app.generate_completion(prog_name="ongage", shell=shell).rstrip("\n"))
    return Exit.OK
