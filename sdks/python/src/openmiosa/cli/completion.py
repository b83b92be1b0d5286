"""`openmiosa completion`: the script that a shell loads."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from . import output
from .options import UsageError

HINTS = {
    "bash": 'eval "$(openmiosa completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(openmiosa completion zsh)"    # in ~/.zshrc, after compinit',
    "fish": "openmiosa completion fish | source   # in ~/.config/fish/config.fish",
}
# What the generated scripts lack when they are sourced: zsh's expects a file on fpath, fish's offers files beside the commands.
ADDED = {
    "zsh": "\ncompdef _cyclopts_openmiosa openmiosa",
    "fish": "\ncomplete -c openmiosa -n __fish_use_subcommand -f",
}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"] | None, Parameter(help="default: the shell that this one was started from")] = None,
    /,
    *,
    install: Annotated[bool, Parameter(negative=(), help="write the script where the shell finds it, and say where")] = False,
) -> None:
    """Print a script that completes commands, options and the names of sandboxes, secrets and contexts.

    bash: eval "$(openmiosa completion bash)"; zsh: eval "$(openmiosa completion zsh)"; fish: openmiosa completion fish | source
    """
    from .app import app

    chosen = shell or _running()
    if install:
        written: Path = app.install_completion(shell=chosen, add_to_startup=False)
        output.say(f"Written to {written}. New shells of {chosen} use it" + (_fpath(written) if chosen == "zsh" else "."))
        return
    script = app.generate_completion(shell=chosen)
    print(script.rstrip() + ADDED.get(chosen, ""))


def _running() -> Literal["bash", "zsh", "fish"]:
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    try:
        found = detect_shell()
    except ShellDetectionError:
        found = "powershell"
    if found == "powershell":
        raise UsageError(f"name the shell: {', '.join(HINTS)}")
    return found


def _fpath(written: Path) -> str:
    return f" when ~/.zshrc has: fpath=({written.parent} $fpath); autoload -Uz compinit; compinit"
