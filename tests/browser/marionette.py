"""Firefox by its own remote protocol, Marionette: length-prefixed JSON over a socket.

The driver of the other browser tests needs a Firefox of its own making, and the usual other way a
driver that no package registry has. What these tests need of the protocol is little.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("firefox-esr", "firefox")
START_SECONDS = 90


def find() -> str | None:
    """Path of a Firefox; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Firefox:
    """A headless Firefox with one window. As a context manager it ends itself.

    Scripts run in the frame that was switched to last, with the rights of the page; those of
    `privileged` run in the browser's own window.
    """

    def __init__(self, path: str, width: int, height: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        settings = {
            "marionette.port": port, "browser.shell.checkDefaultBrowser": False,
            "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False,
            "browser.startup.homepage_override.mstone": "ignore", "network.proxy.type": 0,
        }
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in settings.items()]
        (Path(self._profile.name) / "user.js").write_text("".join(lines), encoding="utf-8")
        self._process = subprocess.Popen(
            [path, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote",
             "--profile", self._profile.name, f"--width={width}", f"--height={height}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self._count = 0
        self._socket = self._connect(port)
        self._receive()  # its greeting
        self.tell("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})
        self.tell("WebDriver:SetWindowRect", {"width": width, "height": height})

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=30)
        self._profile.cleanup()

    def _connect(self, port: int) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=120)
            except OSError:
                assert self._process.poll() is None, "Firefox ended at start-up"
                assert time.monotonic() < deadline, "Firefox does not answer"
                time.sleep(0.2)

    def _receive(self) -> Any:
        head = b""
        while not head.endswith(b":"):
            head += self._take(1)
        return json.loads(self._take(int(head[:-1])))

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            piece = self._socket.recv(count - len(taken))
            assert piece, "Firefox closed the connection"
            taken += piece
        return taken

    def tell(self, command: str, parameters: dict[str, Any]) -> Any:
        """One command. Returns its value.

        Raises:
            AssertionError: it failed; the message says how.
        """
        self._count += 1
        message = json.dumps([0, self._count, command, parameters]).encode()
        self._socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self._receive()
        assert error is None, f"{command}: {error}"
        return result.get("value", result) if isinstance(result, dict) else result

    def open(self, url: str) -> None:
        """Go to an address."""
        self.tell("WebDriver:Navigate", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The body of a function; a promise that it returns is waited for."""
        body = {"script": script, "args": list(arguments), "sandbox": None}
        return self.tell("WebDriver:ExecuteScript", body)

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < deadline, f"never true: {condition}"
            time.sleep(0.1)

    def enter(self, selector: str) -> None:
        """Into the frame of this selector, from the page."""
        self.tell("WebDriver:SwitchToFrame", {"element": None})
        found = self.tell("WebDriver:FindElement", {"using": "css selector", "value": selector})
        self.tell("WebDriver:SwitchToFrame", {"element": next(iter(found.values()))})

    def press(self, *keys: str) -> None:
        """Keys, one after the other, where the keyboard is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.tell("WebDriver:PerformActions", {
            "actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def privileged(self, script: str) -> Any:
        """A script with the rights of the browser."""
        self.tell("Marionette:SetContext", {"value": "chrome"})
        try:
            return self.run(script)
        finally:
            self.tell("Marionette:SetContext", {"value": "content"})

    def errors(self) -> list[str]:
        """What the browser complained of about pages, each with its place."""
        return list(self.privileged(
            """return Services.console.getMessageArray()
              .filter((one) => one instanceof Ci.nsIScriptError && !(one.flags & 1))
              .filter((one) => (one.sourceName ?? "").startsWith("http"))
              .map((one) => `${one.errorMessage} (${one.sourceName}:${one.lineNumber})`)"""
        ))

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.tell("WebDriver:TakeScreenshot", {"full": False}))
