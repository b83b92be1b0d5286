"""Where a secret's value comes from: a prompt, standard input, a file or a variable. Never an argument."""

import getpass
import os
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .options import UsageError

Source = Annotated[str, Parameter(help="`-` reads the value from standard input; default: ask", allow_leading_hyphen=True)]
FromEnv = Annotated[str | None, Parameter(name="--from-env", help="read the value from this environment variable")]
FromFile = Annotated[Path | None, Parameter(name="--from-file", help="read the value from this file")]
# Accepted only to be refused with a reason: a person who tries it must not find the value echoed in a parser's error.
Refused = Annotated[str | None, Parameter(name=("--value", "--new-value"), show=False, allow_leading_hyphen=True)]

NOT_AN_ARGUMENT = (
    "a value is never given as an argument: every user of this machine can read arguments, and the shell remembers them. "
    "Leave it out to be asked for it, or use `-` (standard input), --from-env NAME or --from-file PATH. "
    "If you have just typed a real value, treat it as seen."
)
# Options are words in small letters, which no value of a secret is; what is longer is not shown in case it is one.
OPTION = re.compile(r"--[a-z]{2,15}(-[a-z]{1,15}){0,2}|-[a-z]")


def value(prompt: str, source: tuple[str, ...], refused: str | None, from_env: str | None, from_file: Path | None) -> str:
    """The value, from the one place that was named, or from a person at the terminal."""
    if refused is None and (unknown := next(filter(OPTION.fullmatch, source), None)) is not None:
        raise UsageError(f"{unknown} is no option of this command")
    if refused is not None or (source and source != ("-",)):
        raise UsageError(NOT_AN_ARGUMENT)
    if sum((bool(source), from_env is not None, from_file is not None)) > 1:
        raise UsageError("name one source: `-`, --from-env or --from-file")
    text = _read(prompt, bool(source), from_env, from_file)
    if not text:
        raise UsageError("the value is empty")
    return text


def _read(prompt: str, from_stdin: bool, from_env: str | None, from_file: Path | None) -> str:
    if from_env is not None:
        if from_env not in os.environ:
            raise UsageError(f"the variable {from_env} is not set here")
        return os.environ[from_env]
    if from_file is not None:
        try:
            return _one_line_end_less(from_file.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{from_file} cannot be read as text: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    if from_stdin:
        return _one_line_end_less(sys.stdin.read())
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at: use `-` to read standard input, --from-env NAME or --from-file PATH")
    return getpass.getpass(f"{prompt} (not shown): ")


def _one_line_end_less(text: str) -> str:
    """Without the line end that editors and `echo` add; others may belong to the value."""
    return text.removesuffix("\n").removesuffix("\r")
