"""The `openmiosa` command: a thin layer over the synchronous client.

Exit codes: 0 done · 1 the server refused or failed · 2 usage or configuration · 3 the server cannot be reached · 130 interrupted;
`run`, `sandbox exec` and `sandbox shell` pass on the exit code of the command (128 and the signal's number when one ended it).
"""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command line; gives the exit code."""
    tokens = sys.argv[1:] if argv is None else argv
    from . import quick

    if quick.answers(tokens):
        return 0
    from . import host

    if tokens and host.offers(tokens[0]):
        return host.run(tokens[0], tokens[1:])
    from .run import run

    return run(tokens)
