"""A product whose own users bring their keys: one backend, many people, and none of them ever works with another's key.

    python -m examples.white_label users.json       # {"company": "sk-…", "users": {"ada": "sk-…", "grace": null}}

What the company pays for everybody is a secret of the tenant. What a user brings is a secret of that user: it is in every
sandbox made for them, it goes before the company's, and nobody else's sandbox has it. No sandbox holds either of them.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from openmiosa import Miosa

HOST = "api.openai.com"
# Ordinary code, which would run on any machine that has the key.
AGENT = f"""
import json, os, urllib.request

request = urllib.request.Request("https://{HOST}/v1/models", headers={{"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}})
print(len(json.load(urllib.request.urlopen(request))["data"]), "models")
"""


def open_shop(backend: Miosa, key: str) -> None:
    """The company's key, for users who bring none."""
    backend.secrets.set(name="company_key", value=key, scope="tenant", expose_as_env="OPENAI_API_KEY", allowed_hosts=[HOST])


def sign_up(backend: Miosa, user: str, key: str) -> None:
    """Keep what a user brought; the next command in any sandbox of theirs works with it."""
    backend.secrets.set(
        name="own_key", value=key, scope="external_user", external_user_id=user, expose_as_env="OPENAI_API_KEY", allowed_hosts=[HOST]
    )


def work_for(backend: Miosa, user: str) -> str:
    """One task of one user, in a sandbox of its own that is gone afterwards."""
    with backend.sandboxes.create(external_user_id=user) as sandbox:
        sandbox.files.write("/workspace/agent.py", AGENT)
        return sandbox.exec("python3 agent.py", cwd="/workspace").check().stdout.strip()


def session(backend: Miosa, user: str) -> str:
    """A key for the user's own app: it sees what is theirs, and nothing else, for an hour."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    token = backend.api_keys.create_scoped(user, scopes=["sandboxes:read", "audit:read"], expires_at=ends).token
    assert token is not None
    return token


def main(file: str) -> None:
    """Take everybody in, work for everybody, and let everybody see their own calls."""
    given = json.loads(Path(file).read_text())
    with Miosa() as backend:
        open_shop(backend, given["company"])
        for user, key in given["users"].items():
            if key is not None:
                sign_up(backend, user, key)
        for user in given["users"]:
            print(f"{user}: {work_for(backend, user)}")
            with Miosa(session(backend, user), backend.base_url) as theirs:
                for event in theirs.audit.list():
                    print(f"{user}: {event}")


if __name__ == "__main__":
    main(sys.argv[1])
