"""A support agent: reads the open issues of a repository and has replies drafted. It knows nothing of sandboxes.

Two tokens come from the environment, as on a bare machine; two connections are kept open.
"""

import http.client
import json
import os
import sys
import time

STOP = "/workspace/enough"


def main() -> None:
    """One round, or round after round until a file says that it is enough."""
    github = http.client.HTTPSConnection("api.github.com", timeout=30)
    openai = http.client.HTTPSConnection("api.openai.com", timeout=30)
    while True:
        for issue in asked(github, "GET", "/repos/octocat/hello/issues?per_page=2", os.environ["GITHUB_TOKEN"]):
            prompt = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": issue["title"]}]}
            reply = asked(openai, "POST", "/v1/chat/completions", os.environ["OPENAI_API_KEY"], prompt)
            print(f"#{issue['number']}: {reply['choices'][0]['message']['content']}", flush=True)
        if "--loop" not in sys.argv or os.path.exists(STOP):
            return
        time.sleep(0.1)


def asked(connection: http.client.HTTPSConnection, method: str, path: str, token: str, body: object = None) -> object:
    """The JSON that a service answers; anything but 200 ends the agent."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "User-Agent": "agent"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    reply = connection.getresponse()
    text = reply.read()
    if reply.status != 200:
        raise SystemExit(f"{path}: {reply.status} {text!r}")
    return json.loads(text)


if __name__ == "__main__":
    main()
