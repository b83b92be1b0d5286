"""Runs a command and turns what goes wrong into a message and an exit code."""

import io
import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from ..errors import MiosaError
from . import report
from .app import app
from .endings import Ended
from .options import UsageError

DONE, REFUSED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


def run(tokens: Sequence[str]) -> int:
    """Run the command; gives the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding lacks is shown in another way rather than ending the command.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except (CycloptsError, UsageError) as error:
        # What was typed may name no command; its help is that of the last one that there is.
        command, _, _ = app.parse_commands(tokens)
        report.usage(str(error), command)
        return USAGE
    except MiosaError as error:
        return report.failure(error, tokens)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Ended as ended:
        return 128 + ended.number
    except BrokenPipeError:
        # The reader has gone, which is how `| head` ends; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
