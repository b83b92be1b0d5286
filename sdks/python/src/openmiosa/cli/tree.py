"""What commands there are, as plain data: help and completion read it without loading any of them."""

PURPOSE = "Agents in sandboxes use real credentials that they never hold."
EPILOGUE = (
    "Server and key come from --context, else MIOSA_BASE_URL and MIOSA_API_KEY, else the context that the first `openmiosa up` wrote. "
    "Exit codes: 0 done, 1 refused by the server, 2 usage, 3 unreachable; run, exec and shell pass on the command's."
)

# Each: where its code is, and its line in the list. Plain tuples, since a class would cost as much time as all the rest.
WORK = {
    "run": ("once:run", "Run a command in a sandbox made of the current folder."),
    "sandbox": ("sandbox:app", "Create, use and remove sandboxes."),
    "cp": ("copy:cp", "Copy files between this machine and a sandbox."),
    "secrets": ("secrets:app", "Store, rotate and remove secrets; values never show again."),
    "connect": ("connect:connect", "Connect an account (OAuth) and expose its token as a placeholder."),
    "network": ("network:app", "Decide which hosts sandboxes may call."),
    "audit": ("audit:app", "See every outbound call, past and live."),
}
SETTLE = {
    "keys": ("keys:app", "Manage keys of this API."),
    "admin-log": ("admin_log:admin_log", "See who changed what on the server."),
    "templates": ("templates:templates", "List what sandboxes can be made from."),
    "context": ("context:app", "Choose between servers."),
    "whoami": ("whoami:whoami", "Show whom the server takes you for."),
    "doctor": ("doctor:doctor", "Check the server, the key, the versions and this host."),
    "version": ("doctor:version", "Show the versions of client and server."),
    "completion": ("completion:completion", "Let the shell complete commands and names."),
}
# They come with openmiosa-server; here only so that the list is whole.
HOST = {
    "up": ("host:shown", "Start the system on this machine."),
    "config": ("host:shown", "Show the settings in force."),
    "template": ("host:shown", "Build templates with pip packages."),
    "host": ("host:shown", "Say what this machine's kernel offers."),
}
GROUPS = {"Work": WORK, "Settle": SETTLE, "This machine's server (needs openmiosa-server)": HOST}
COMMANDS = WORK | SETTLE | HOST
