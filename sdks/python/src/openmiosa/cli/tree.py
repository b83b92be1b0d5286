"""What commands there are, as plain data: help and completion read it without loading any of them."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A command or a group of commands: where its code is, and its line in the list."""

    target: str
    help: str


PURPOSE = "Agents in sandboxes use real credentials that they never hold."
EPILOGUE = (
    "Server and key come from --context, else MIOSA_BASE_URL and MIOSA_API_KEY, else the context that the first `openmiosa up` wrote. "
    "Exit codes: 0 done, 1 refused by the server, 2 usage, 3 unreachable; run, exec and shell pass on the command's."
)

WORK = {
    "run": Entry("once:run", "Run a command in a sandbox made of the current folder."),
    "sandbox": Entry("sandbox:app", "Create, use and remove sandboxes."),
    "cp": Entry("copy:cp", "Copy files between this machine and a sandbox."),
    "secrets": Entry("secrets:app", "Store, rotate and remove secrets; values never show again."),
    "connect": Entry("connect:connect", "Connect an account (OAuth) and expose its token as a placeholder."),
    "network": Entry("network:app", "Decide which hosts sandboxes may call."),
    "audit": Entry("audit:app", "See every outbound call, past and live."),
}
SETTLE = {
    "keys": Entry("keys:app", "Manage keys of this API."),
    "admin-log": Entry("admin_log:admin_log", "See who changed what on the server."),
    "templates": Entry("templates:templates", "List what sandboxes can be made from."),
    "context": Entry("context:app", "Choose between servers."),
    "whoami": Entry("whoami:whoami", "Show whom the server takes you for."),
    "doctor": Entry("doctor:doctor", "Check the server, the key, the versions and this host."),
    "version": Entry("doctor:version", "Show the versions of client and server."),
    "completion": Entry("completion:completion", "Let the shell complete commands and names."),
}
# They come with openmiosa-server; here only so that the list is whole.
HOST = {
    "up": Entry("host:shown", "Start the system on this machine."),
    "config": Entry("host:shown", "Show the settings in force."),
    "template": Entry("host:shown", "Build templates with pip packages."),
    "host": Entry("host:shown", "Say what this machine's kernel offers."),
}
GROUPS = {"Work": WORK, "Settle": SETTLE, "This machine's server (needs openmiosa-server)": HOST}
COMMANDS = WORK | SETTLE | HOST
