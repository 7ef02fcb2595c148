"""A headless Chromium, driven over its DevTools protocol through a pipe: no port, and no library."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import platform
import signal
import sys
import time
from base64 import b64decode
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

_FOLDER = Path(__file__).parent / "node_modules" / ".chromium"
_PROGRAM = _FOLDER / "chromium"
# What it shall leave alone: it runs in a container, as root, and must ask nobody anything.
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
)
_CLOSE_SECONDS = 10


def find_program() -> tuple[Path, dict[str, str]]:
    """The browser's program and the environment that it runs in: the locked one, or that of the variable CHROMIUM."""
    own = os.environ.get("CHROMIUM")
    if own:
        return Path(own), dict(os.environ)
    if not _PROGRAM.exists():
        pytest.fail("This test looks at a page in Chromium. Install it into the checkout: make browser", pytrace=False)
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.fail("The locked Chromium is for 64-bit Linux. Name another: CHROMIUM=/path/to/chromium", pytrace=False)
    libraries = os.pathsep.join(filter(None, [str(_FOLDER / "al2023" / "lib"), os.environ.get("LD_LIBRARY_PATH")]))
    return _PROGRAM, os.environ | {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(_FOLDER / "fonts.conf")}


class Chromium:
    """The browser; used as a context manager."""

    def __init__(self, profile: Path, *options: str) -> None:
        """Prepare it.

        Args:
            profile: a folder of its own.
            options: more of its command line.
        """
        self._options = options
        self._profile = profile
        self._numbers = itertools.count(1)
        self._received = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Start it."""
        program, environment = find_program()
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        # Beyond those that they are put at: it reads commands from its file 3, and writes answers to its file 4.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]
        self._process = os.posix_spawn(
            program,
            [str(program), "--remote-debugging-pipe", *_OPTIONS, *self._options, f"--user-data-dir={self._profile}"],
            environment,
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, end, place) for place, end in enumerate(ends, 3)),
                *((os.POSIX_SPAWN_OPEN, output, os.devnull, os.O_WRONLY, 0) for output in (1, 2)),
            ],
        )
        for end in (commands, answers, *ends):
            os.close(end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        os.close(self._commands)  # which ends it
        deadline = time.monotonic() + _CLOSE_SECONDS
        while os.waitpid(self._process, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self._process, signal.SIGKILL)
            time.sleep(0.02)
        os.close(self._answers)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and wait for its result; events that come meanwhile are kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def receive(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self._received:
            read = os.read(self._answers, 1 << 20)
            assert read, "Chromium has ended"
            self._received += read
        message, _, self._received = self._received.partition(b"\0")
        document: dict[str, Any] = json.loads(message)
        return document

    def open(self, address: str) -> Page:
        """Open a page, and wait until it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.load(address)
        return page


class Page:
    """A page in the browser, with its messages and requests since it was opened."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **parameters)

    def load(self, address: str) -> None:
        """Go to an address, and wait until all is loaded."""
        self.call("Page.navigate", url=address)
        while not self._told("Page.loadEventFired"):
            self._browser.events.append(self._browser.receive())

    def _told(self, *methods: str) -> list[dict[str, Any]]:
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] in methods
        ]

    @property
    def complaints(self) -> list[str]:
        """The console's messages, exceptions, and the browser's own remarks."""
        self.evaluate("0")  # then all earlier messages are there
        told = self._told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(each) for each in told]

    @property
    def requests(self) -> list[str]:
        """The addresses that it asked for."""
        self.evaluate("0")
        return [each["request"]["url"] for each in self._told("Network.requestWillBeSent")]

    def show(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Show it on a screen of this size, in pixels, with a light or dark preference."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, of a promise when it is kept."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def screenshot(self) -> bytes:
        """The screen as a PNG."""
        return b64decode(self.call("Page.captureScreenshot")["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return b64decode(self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"])

    def close(self) -> None:
        """Close it, and forget its messages."""
        self._browser.call("Target.closeTarget", targetId=self._target)
        self._browser.events.clear()
