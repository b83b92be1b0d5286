"""The tree of commands. Each is imported when it is run, so that help stays quick."""

from cyclopts import App

from .._version import __version__

EPILOGUE = (
    "Server and key come from --context, else MIOSA_BASE_URL and MIOSA_API_KEY, else the context that the first `openmiosa up` wrote. "
    "Exit codes: 0 done, 1 refused by the server, 2 usage, 3 unreachable; exec passes on the command's."
)
PURPOSE = "Agents in sandboxes use real credentials that they never hold."
app = App(name="openmiosa", help=PURPOSE, version=__version__, help_epilogue=EPILOGUE, help_format="plaintext")

for _name, _help in {
    "sandbox": "Create, use and remove sandboxes.",
    "secrets": "Store, rotate and remove secrets; values never show again.",
    "network": "Decide which hosts sandboxes may call.",
    "audit": "See every outbound call, past and live.",
    "keys": "Manage keys of this API.",
    "context": "Choose between servers.",
}.items():
    app.command(f"openmiosa.cli.{_name}:app", name=_name, help=_help)
app.command("openmiosa.cli.connect:connect", name="connect", help="Connect an account (OAuth) and expose its token as a placeholder.")
app.command("openmiosa.cli.doctor:doctor", name="doctor", help="Check the server, the key, the versions and this host.")
app.command("openmiosa.cli.doctor:version", name="version", help="Show the versions of client and server.")
for _name, _help in {
    "up": "Start the system on this machine (needs openmiosa-server).",
    "config": "Show the settings in force (needs openmiosa-server).",
    "template": "Build templates with pip packages (needs openmiosa-server).",
    "host": "Say what this machine's kernel offers (needs openmiosa-server).",
}.items():
    app.command("openmiosa.cli.host:shown", name=_name, help=_help)
