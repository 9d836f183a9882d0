"""Every model opens in Nengo GUI in a browser, runs at once, and shows what its layout places."""

import os
import re
import subprocess
import time
from xml.etree import ElementTree

import numpy as np
import pytest

from nengo_phasor import models
from tests.gui.conftest import ROOT

NETWORKS = ROOT / "networks"
MODELS = sorted(name for name, model in models.MODELS.items() if model.network)
SCREENSHOT_AT = float(os.environ.get("SCREENSHOT_AT", "0.15"))
"""Simulated seconds after which a model's picture is taken."""
ON_CHIP = ("three_oscillators", "on_chip")
SVG = "{http://www.w3.org/2000/svg}"


def placed(model, kind=r"\w+"):
    """Return the plots of a kind that a model's layout places."""
    layout = (NETWORKS / f"{model}.py.cfg").read_text()
    plots = re.findall(rf"^_viz_\d+ = nengo_gui\.components\.({kind})\(", layout, re.M)
    return plots


@pytest.mark.parametrize("model", MODELS)
def test_model_has_a_layout(model):
    assert len(placed(model)) >= 3


def check(page, model, backend, seconds):
    """Open a model, run it for so many seconds of its own time, and look at what is shown."""
    page.driver.get_log("browser")
    page.open(model, backend)
    assert page.error == ""
    # lines of a layout that name what isn't there are passed over in silence
    assert page.run("Nengo.Component.components.length") == len(placed(model))
    page.play_to(seconds)
    n_displays = len(placed(model, "HTMLView"))
    page.wait(
        f"document.querySelectorAll('.htmlview > svg').length === {n_displays}", "all displays"
    )
    page.screenshot(model if backend == "nengo" else f"{model}-{backend}")
    page.press()
    before = page.run("sim.time")
    page.wait(f"sim.time > {before}", "time to advance")
    lines = placed(model, "Raster|Value|Voltage")
    page.wait(
        "Array.from(document.querySelectorAll('.graph path.line'), e => e.getAttribute('d') || '')"
        f".filter(d => d.length > 20).length >= {len(lines)}",
        "something in every plot",
    )
    assert page.error == ""
    messages = [entry["message"] for entry in page.driver.get_log("browser")]
    assert [message for message in messages if "Uncaught" in message] == []


@pytest.mark.parametrize("model", MODELS)
def test_model_runs_here(page, model):
    check(page, model, "nengo", SCREENSHOT_AT)


@pytest.mark.parametrize("model", ON_CHIP)
def test_model_runs_on_the_emulator(page, model):
    pytest.importorskip("nengo_loihi")
    check(page, model, "nengo_loihi", 0.1)


def hands(svg, kind):
    """Return the phases that a clock's hands of a kind point at, in units of pi."""
    root = ElementTree.fromstring(svg)
    paths = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("class") == kind]
    ends = np.array(re.findall(r"L(\S+) (\S+?)(?=M|$)", "".join(paths)), dtype=float).reshape(-1, 2)
    return np.sort(np.arctan2(48 - ends[:, 1], ends[:, 0] - 50) / np.pi)


def seen(page, read, expected, what, seconds=120):
    """Wait until what is read from the displays is near to what is expected."""
    end = time.monotonic() + seconds
    while True:
        found = read(page.displays)
        if np.shape(found) == np.shape(expected) and np.allclose(found, expected, atol=0.03):
            return
        assert not page.error, page.error
        assert time.monotonic() < end, f"{what}: {found}, not {expected}"
        time.sleep(0.1)


def test_sliders_move_the_clock(page):
    """A person drags the sparsifier's strength up: all hands fade."""
    from selenium.webdriver import ActionChains

    page.open("three_oscillators")
    page.play_until(0.5)
    seen(page, lambda d: hands(d[0], "spike"), [-0.4, 0.5], "hands")
    seen(page, lambda d: hands(d[0], "missing"), [0.05], "faded hands")

    sliders = page.driver.find_elements("css selector", "[data-object-type=slider] .btn")
    assert [float(slider.text) for slider in sliders] == [-0.4, 0.05, 0.5, 10, 10, 10, 2, 0.1]

    def drag(slider, pixels):
        """Drag while it is paused: a busy machine draws what comes in rather than the mouse."""
        page.press()
        ActionChains(page.driver).drag_and_drop_by_offset(slider, 0, pixels).perform()
        found = float(slider.text)
        page.press()
        return found

    assert drag(sliders[-1], -200) == 1
    seen(page, lambda d: hands(d[0], "missing"), [-0.4, 0.05, 0.5], "faded hands")
    assert drag(sliders[-1], 200) == 0
    seen(page, lambda d: hands(d[0], "spike"), [-0.4, 0.05, 0.5], "hands")
    sliders_of = "Nengo.Component.components.filter(c => c instanceof Nengo.Slider)"
    page.run(f"{sliders_of}[0].sliders[1].set_value(-0.8)")
    seen(page, lambda d: hands(d[0], "spike"), [-0.8, -0.4, 0.5], "hands")
    page.run(f"{sliders_of}[2].sliders[0].set_value(8)")  # more than a rhythm of spikes adds up to
    seen(page, lambda d: hands(d[0], "missing"), [-0.8, -0.4, 0.5], "faded hands")


def winner(svg):
    texts = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return next(text.text for text in texts if text.get("class") == "winner")


@pytest.mark.parametrize(
    ("model", "first"), [("adaptive_digits", "0"), ("local_rhythms", "T-shirt/top")]
)
def test_class_is_the_image_s(page, model, first):
    """The first image is one of class 0."""
    page.open(model)
    page.play_to(0.4)
    assert [winner(svg) for svg in page.displays if "winner" in svg] == [first]


EDITOR_SHOWN = "$('#rightpane').is(':visible')"


def test_editor_is_closed_until_it_is_wanted(page, tmp_path):
    """The layout says so, even after Nengo GUI has written it anew; other models keep theirs."""
    page.open("three_oscillators")
    assert not page.run(EDITOR_SHOWN)
    for shown in (True, False):
        page.driver.find_element("id", "Toggle_ace").click()
        assert page.run(EDITOR_SHOWN) is shown
    assert page.run("localStorage.getItem('ng.hide_editor')") == "false", "kept for all models"
    layout = tmp_path / "networks" / "three_oscillators.py.cfg"
    page.run("Nengo.netgraph.ws.send(JSON.stringify({act: 'pan', x: 0.1, y: 0}))")
    end = time.monotonic() + 60
    lines: list[str] = []
    while "_viz_config[model].pos=(0.1, 0)" not in lines:
        assert time.monotonic() < end, lines
        time.sleep(0.1)
        lines = layout.read_text().splitlines()
    time.sleep(0.1)  # until it is written whole
    lines = layout.read_text().splitlines()
    assert lines.count("models.close_editor(__page__)") == 1


def test_an_error_is_seen_on_the_page(page, tmp_path):
    """Such as that of an extra that is not installed: the closed editor opens and has its text."""
    (tmp_path / "broken.py").write_text(
        "import nengo\nfrom nengo_phasor import models\n"
        "model = nengo.Network()\nraise ImportError('Run: pip install it')\n"
    )
    (tmp_path / "broken.py.cfg").write_text("models.close_editor(__page__)\n")
    url = page.start_server("nengo").url
    page.driver.get(url)
    page.driver.get(f"{url.partition('?')[0]}?filename={tmp_path / 'broken.py'}")
    end = time.monotonic() + 120
    while "pip install" not in page.error and time.monotonic() < end:
        time.sleep(0.1)
    assert "Run: pip install it" in page.error
    assert page.driver.find_element("id", "console_error").is_displayed()


def processes():
    """Return the command lines of servers and browsers that run below this process."""
    below = {os.getpid()}
    found = []
    shown = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
    for line in sorted(shown.splitlines()[1:], key=lambda line: int(line.split()[0])):
        pid, parent, *arguments = line.split()
        if int(parent) in below:
            below.add(int(pid))
            found += [" ".join(arguments)]
    return [line for line in found if re.search("nengo_gui|chrom", line)]


@pytest.fixture(scope="module", autouse=True)
def nothing_goes_on():
    """Nothing that was started here takes the tests after it their processor time."""
    yield
    assert processes() == []


def test_no_server_is_left_of_the_tests_before(page):
    assert not any("nengo_gui" in line for line in processes())
    page.open("three_oscillators")
    page.play_until(0.1)
    assert sum("nengo_gui" in line for line in processes()) == 1
