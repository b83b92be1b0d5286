"""The tree of commands. Each is imported when it is run, so that help stays quick."""

from cyclopts import App

from .._version import __version__
from .columns import Columns
from .tree import COMMANDS, EPILOGUE, HOST, PURPOSE

app = App(name="openmiosa", help=PURPOSE, version=__version__, help_epilogue=EPILOGUE, help_format="plaintext", help_formatter=Columns())

for _name, (_target, _help) in COMMANDS.items():
    # A page of help is the command's own; those of the host have theirs elsewhere.
    app.command(f"openmiosa.cli.{_target}", name=_name, help=_help if _name in HOST else None)
