"""A server of Nengo GUI for each test, and one browser for all.

A server goes on simulating what its page was left with, so it ends with its test. The models are
copied, because Nengo GUI writes what is done in the browser to their layouts.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240
"""How long anything may take on a busy machine."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver",)


def installed(names):
    return next(filter(None, map(shutil.which, names)), None)


class Server:
    """A running server of Nengo GUI; its models are in ``folder``."""

    def __init__(self, folder, backend):
        self.log = folder / f"{backend}.log"
        command = ["-m", "nengo_gui.main", "--no-browser", "--port", "0", "--auto-shutdown", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "--backend", backend],
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.url = next((m[0] for m in map(self._address, self.process.stdout) if m), None)
        assert self.url, self.log.read_text()

    def _address(self, line):
        return re.search(r"http://localhost:\d+/\?token=\w+", line)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(tmp_path):
    """Return a function that starts a server for a backend, which ends with the test."""
    pytest.importorskip("nengo_gui")
    for part in ("networks", "results"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    with ExitStack() as started:

        def start(backend):
            running = Server(tmp_path, backend)
            started.callback(running.stop)
            return running

        yield start


class Page:
    """Nengo GUI in a browser."""

    def __init__(self, driver, start_server, screenshots):
        self.driver, self.start_server, self.screenshots = driver, start_server, screenshots

    def run(self, script, *arguments):
        """Return what a line of JavaScript in the page is."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def wait(self, script, what):
        """Wait until a line of JavaScript is true."""
        end = time.monotonic() + SECONDS
        while not self.run(script):
            assert not self.error, self.error
            assert time.monotonic() < end, f"in {SECONDS} s not seen: {what}"
            time.sleep(0.05)

    def open(self, model, backend="nengo"):
        """Open a model, and wait until Nengo GUI has drawn it."""
        url = self.start_server(backend).url
        self.driver.get(url)  # with the token, which lets the browser in
        self.driver.get(f"{url.partition('?')[0]}?filename=networks/{model}.py")
        self.wait("typeof sim !== 'undefined' && sim.ws.readyState === 1", "a connection")
        self.wait("document.querySelectorAll('#netgraph g.node').length > 0", "the network")

    def press(self):
        """Press the button that plays and pauses."""
        self.driver.find_element("id", "pause_button").click()

    def play_until(self, seconds):
        """Press the button, and wait for the simulation's time."""
        self.press()
        self.wait(f"sim.time > {seconds}", f"the simulation's time of {seconds} s")

    def play_to(self, seconds):
        """Press the button, and have the browser press it again at the simulation's time."""
        self.driver.execute_script(
            "const waiting = setInterval(() => { if (sim.time > arguments[0]) "
            "{ clearInterval(waiting); $('#pause_button').click(); } }, 5);",
            seconds,
        )
        self.press()
        self.wait(f"sim.time > {seconds} && sim.paused", f"a pause at {seconds} s")

    @property
    def error(self):
        """What Nengo GUI shows of an error in the model, or in building or running it."""
        return self.run("(document.getElementById('console_error') || {}).textContent || ''")

    @property
    def displays(self):
        """The drawings that are shown."""
        return self.run("Array.from(document.querySelectorAll('.htmlview'), e => e.innerHTML)")

    def screenshot(self, name):
        self.screenshots.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))


@pytest.fixture(scope="module")
def browser():
    """Return the browser; with none installed, skip."""
    webdriver = pytest.importorskip("selenium.webdriver")
    browser, driver = installed(BROWSERS), installed(DRIVERS)
    if not (browser and driver):
        pytest.skip("no browser: install Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        "--headless=new",
        "--no-sandbox",  # there is none for root, as whom CI runs
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1400,1000",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
    driver.set_page_load_timeout(SECONDS)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, server):
    """Return Nengo GUI in the browser."""
    return Page(browser, server, Path(os.environ.get("SCREENSHOTS", ROOT / "runs" / "screenshots")))
