"""Words of the API's document: tags, parameters that mean the same everywhere, refusals."""

ABOUT = {
    "summary": "AI agents work with credentials they never hold.",
    "description": (
        "Everything is JSON, ASCII-escaped. Ids and names are both accepted wherever one is. A change that answers 2xx is enforced. "
        "Each operation says who calls it: `x-sdk` names methods of the SDKs, `x-compat` an operation of ours that does the same "
        "(the route exists for the published clients), `x-no-sdk` why no SDK calls it. `x-scope` is the scope that the key needs. "
        "WebSockets are listed under `x-websockets`."
    ),
    "failure": "The server's fault or that of something behind it. `error.retry` says whether the same request may succeed later.",
    "request_id": "Names the request in the server's log and in the administrative log. One that the caller sends is kept.",
    "idempotency": "Names one attempt at a change: for 24 hours a repeat under the same key gets the first answer and does nothing.",
    "bearer": "An API key, `msk_live_…`. `openmiosa keys create` makes one.",
}

TAGS = {
    "api_keys": "Keys to this API, their scopes, and whom they speak for.",
    "admin_log": "What was done with this API, by whom, allowed or refused.",
    "audit": "Events: every outbound call of every sandbox.",
    "bindings": "Which sandbox gets which secret, under which variable.",
    "commands": "Commands as the published Python client has them.",
    "computers": "Sandboxes under the routes that the published Go client needs.",
    "document": "This document.",
    "env": "A sandbox's own variables.",
    "exec": "Commands, run to their end.",
    "files": "Files and folders of a sandbox.",
    "health": "For machines that watch the server.",
    "identity": "Whose key this is.",
    "network": "Lockdown and observation, and what waits for an approval.",
    "oauth": "Connected accounts.",
    "policies": "Policies and their modes.",
    "previews": "Ports inside, reachable on the server's machine.",
    "processes": "Commands in the background.",
    "rules": "Hosts that are allowed or denied.",
    "sandboxes": "The record and its life.",
    "secrets": "Secrets: described, rotated, deleted, never shown.",
    "snapshots": "Copies of a sandbox's files.",
    "sse": "Tickets for a browser's event streams.",
    "templates": "What sandboxes can be made from.",
    "terminals": "Shells with a terminal.",
    "tokens": "Short-lived keys for one user.",
}

PARAMETERS = {
    # in paths
    "api_key": "Id or name of the API key.",
    "binding": "Id of the binding.",
    "event": "Id of the event.",
    "key": "Id or name of the sandbox.",
    "name": "The name.",
    "policy": "Id of the policy, or id or name of its sandbox.",
    "preview": "Id of the preview.",
    "process": "Id, number or name of the process.",
    "rule": "Id of the rule, or its host.",
    "secret": "Id or name of the secret.",
    "snapshot": "Id of the snapshot.",
    "sid": "Id of the terminal.",
    # in queries
    "action": "What happened: `allow`, `reject`, `error` and their synonyms; in the administrative log the act's name.",
    "actor_id": "Id of the key that acted.",
    "after": "Id of the last entry seen; what follows it is answered.",
    "cursor": "Id of the last entry seen, as `next_cursor` gave it.",
    "depth": "How many levels of folders.",
    "external_project_id": "The project of the caller's own that it belongs to.",
    "external_user_id": "The user of the caller's own that it belongs to.",
    "external_workspace_id": "The workspace of the caller's own that it belongs to.",
    "format": "Form of the export.",
    "host": "An exact host, or `*.suffix`.",
    "keep_children": "Whether the keys that it made live on.",
    "limit": "How many at most.",
    "method": "HTTP method of the call.",
    "owner_user_id": "The user that it belongs to.",
    "path": "A path in the sandbox; a relative one is below /workspace.",
    "policy_id": "Id of the policy.",
    "provider": "Name of the OAuth provider.",
    "recursive": "Whether a folder goes with what is in it.",
    "resource": "The same as `resource_type`.",
    "resource_id": "Id or name of the sandbox.",
    "resource_type": "What `resource_id` names; `sandbox`.",
    "scope": "Scope of the secret.",
    "secret_id": "Id or name of the secret.",
    "since": "Not before: a time in ISO 8601 or an age such as `7d`.",
    "state": "The state.",
    "tags": "Tags that it must have, separated by commas.",
    "tail": "How many lines from the end.",
    "type": "The type.",
    "until": "Not after: a time in ISO 8601 or an age such as `1h`.",
    "workspace_id": "The workspace that it belongs to.",
}

REFUSALS = {
    400: ("BadRequest", "The request cannot be read: its syntax, a path, a parameter."),
    401: ("Unauthenticated", "No key, or one that is unknown, revoked or expired."),
    403: ("Forbidden", "The key may not do this; `error.details.required` names the scope that it lacks."),
    404: ("NotFound", "There is no such thing, or none that this key may see."),
    409: ("Conflict", "The thing is in a state, or has a name, that does not allow this; or the same request is under way."),
    413: ("TooLarge", "The body or a field exceeds its limit."),
    422: ("Invalid", "The request can be read and a value in it is not allowed; `error.details.field` names it."),
    429: ("RateLimited", "Too many at once; `Retry-After` says when to ask again."),
    501: ("NotSupported", "This installation cannot do this, whatever is sent."),
    502: ("BadGateway", "Something outside that was asked on the way did not answer well."),
    503: ("Unavailable", "A part of the system does not answer; the same request may succeed later."),
}
