"""Plays the person in front of the walkthrough: types the keys, presses the consent page's button, looks, presses Enter."""

import http.client
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

AUTHORIZE = re.compile(r"https://github\.com/login/oauth/authorize\S+")
DEVICE = re.compile(r"open (https://github\.com/login/device\S*) and enter (\S+)")
PRESS_ENTER = re.compile(r"press Enter")


class Person:
    """Runs the walkthrough and answers it. `reactions` maps a pattern of a line to what the person does then."""

    def __init__(self, browser: "Browser | None", reactions: dict[str, Callable[[], None]]) -> None:
        self.browser = browser
        self.reactions = [(re.compile(pattern), action) for pattern, action in reactions.items()]
        self.troubles: list[str] = []
        self.printed: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def run(self, command: list[str], environment: dict[str, str], keys: list[str], folder: Path) -> int:
        """Run to the end and return the exit status; everything that the walkthrough prints is passed on."""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        self._type("".join(f"{key}\n" for key in keys))
        for line in self.process.stdout:
            print(line, end="", flush=True)
            self.printed.append(line)
            self._react(line)
        return self.process.wait()

    def stop(self) -> None:
        """End the walkthrough if it still runs."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _react(self, line: str) -> None:
        if self.browser and (address := AUTHORIZE.search(line)):
            self._in_browser(partial(self.browser.consent, address[0]))
        elif self.browser and (device := DEVICE.search(line)):
            self._in_browser(partial(self.browser.enter_code, device[1], device[2]))
        for pattern, action in self.reactions:
            if pattern.search(line):
                self._guarded(action)
        if PRESS_ENTER.search(line):
            self._type("\n")

    def _in_browser(self, action: Callable[[], None]) -> None:
        # A browser is a program of its own: the walkthrough goes on printing meanwhile.
        threading.Thread(target=self._guarded, args=(action, True), daemon=True).start()

    def _type(self, text: str) -> None:
        assert self.process
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def _guarded(self, action: Callable[[], None], needed: bool = False) -> None:
        try:
            action()
        except Exception as error:  # whatever goes wrong is shown and fails the run; most of it may wait until the agent has ended
            self.troubles.append(f"{type(error).__name__}: {error}")
            print(f"  (the person: {self.troubles[-1]})", file=sys.stderr, flush=True)
            if needed:
                self.stop()


class Browser:
    """Enough of a browser for a page with a form: verified TLS, redirects, one button."""

    def __init__(self, hosts: dict[str, str], ca_file: Path) -> None:
        self.hosts = hosts
        self.context = ssl.create_default_context(cafile=str(ca_file))

    def consent(self, address: str) -> None:
        """Open the page, press the first button, and follow the redirect to the callback."""
        page = self._open("GET", address)
        form = _Form()
        form.feed(page.body)
        if not form.action:
            raise RuntimeError(f"no consent page at {urlsplit(address).netloc}: status {page.status}")
        answer = self._open("POST", urljoin(address, form.action), urlencode(form.fields))
        if answer.status not in (302, 303):
            raise RuntimeError(f"the consent was not taken: status {answer.status}")
        callback = self._open("GET", answer.location)
        if callback.status != 200:
            raise RuntimeError(f"the callback answered {callback.status}: {callback.body[:300]}")

    def enter_code(self, address: str, code: str) -> None:
        """Open the page of the device flow and enter the code."""
        form = _Form()
        form.feed(self._open("GET", address).body)
        answer = self._open("POST", urljoin(address, form.action), urlencode({**form.fields, "user_code": code}))
        if answer.status != 200:
            raise RuntimeError(f"the code was not taken: status {answer.status}")

    def _open(self, method: str, address: str, body: str | None = None) -> "_Page":
        parts = urlsplit(address)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(parts.netloc, timeout=10, context=self.context)
            connection.sock = self._connect(parts.hostname or "")
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        reply = connection.getresponse()
        page = _Page(reply.status, reply.read().decode(), reply.headers.get("Location", ""))
        connection.close()
        return page

    def _connect(self, host: str) -> ssl.SSLSocket:
        address, _, port = self.hosts[f"{host}:443"].rpartition(":")
        return self.context.wrap_socket(socket.create_connection((address, int(port)), timeout=10), server_hostname=host)


class _Page:
    def __init__(self, status: int, body: str, location: str) -> None:
        self.status, self.body, self.location = status, body, location


class _Form(HTMLParser):
    """The hidden fields and the first button of the first form."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._pressed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = found.get("action", "")
        elif tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found.get("value", "")
        elif tag == "button" and not self._pressed:
            self._pressed = True
            if "name" in found:
                self.fields[found["name"]] = found.get("value", "")
