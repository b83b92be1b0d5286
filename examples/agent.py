"""A support agent: reads a repository's open issues and drafts replies.

Ordinary code. It knows an OpenAI key and a GitHub token from the environment, as on a bare machine, and nothing of
sandboxes, proxies or placeholders. Needs `openai` and `requests`.
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import requests

GITHUB = "https://api.github.com"
TIMEOUT = 30


def main() -> None:
    """Draft replies once, and again and again if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", default="octocat/Hello-World", help="owner/name of the repository to read")
    parser.add_argument("--model", default="gpt-5-mini")
    parser.add_argument("--drafts", type=int, default=3, help="how many issues to answer in the first round")
    parser.add_argument("--public", action="store_true", help="read the issues without the GitHub token")
    parser.add_argument("--every", type=float, default=1.0, help="pause between rounds, in seconds")
    parser.add_argument("--until", type=Path, help="keep going, one draft a round, until this file exists")
    arguments = parser.parse_args()

    # No retries: a request that fails shall be seen.
    model = openai.OpenAI(max_retries=0, timeout=TIMEOUT)
    github = requests.Session()
    if not arguments.public:
        github.headers["Authorization"] = f"Bearer {os.environ['GITHUB_TOKEN']}"
        print(f"agent {os.getpid()}: reading as {get(github, '/user').json()['login']}", flush=True)

    issues = list(open_issues(github, arguments.repo))
    print(f"agent {os.getpid()}: {len(issues)} open issues in {arguments.repo}", flush=True)
    for number, issue in enumerate(issues[: arguments.drafts]):
        reply(model, arguments.model, issue, streamed=number % 2 == 1)

    rounds = 0
    while arguments.until and not arguments.until.exists():
        rounds += 1
        newest = get(github, f"/repos/{arguments.repo}/issues?per_page=2").json()
        reply(model, arguments.model, newest[rounds % len(newest)], streamed=rounds % 2 == 1)
        time.sleep(arguments.every)
    print(f"agent {os.getpid()}: done after {rounds} more rounds", flush=True)


def open_issues(github: requests.Session, repository: str) -> Iterator[dict[str, Any]]:
    """All open issues, following the pages."""
    url = f"/repos/{repository}/issues?state=open&per_page=3"
    for _ in range(5):
        page = get(github, url)
        yield from page.json()
        if "next" not in page.links:
            return
        url = page.links["next"]["url"].removeprefix(GITHUB)


def get(github: requests.Session, path: str) -> requests.Response:
    """One request that has to succeed."""
    response = github.get(GITHUB + path, timeout=TIMEOUT)
    response.raise_for_status()
    return response


def reply(model: openai.OpenAI, name: str, issue: dict[str, Any], *, streamed: bool) -> None:
    """Draft one reply, in one piece or as it is written."""
    prompt = f"{issue['title']}\n\nDraft a short, friendly reply to this issue:\n{issue['body']}"
    print(f"agent {os.getpid()}: #{issue['number']} {'streamed' if streamed else 'plain'}: ", end="", flush=True)
    if streamed:
        with model.responses.create(model=name, input=prompt, stream=True) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="", flush=True)
        print(flush=True)
    else:
        answer = model.chat.completions.create(model=name, messages=[{"role": "user", "content": prompt}])
        print(answer.choices[0].message.content, flush=True)


if __name__ == "__main__":
    main()
