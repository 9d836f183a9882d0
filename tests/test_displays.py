import io
import re
from base64 import b64decode
from xml.etree import ElementTree

import nengo
import numpy as np
import pytest
from matplotlib.image import imread
from nengo.exceptions import ValidationError

from nengo_phasor import ArcSparsifier, PhaseEncoder, displays, drawings, metrics, phases

SVG = "{http://www.w3.org/2000/svg}"


def drawn(node):
    """Return what Nengo GUI would show of a node, parsed."""
    return ElementTree.fromstring(node.output._nengo_html_)


def texts(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def hands(svg, kind):
    """Return the phases that hands of a class point at, in units of pi, sorted."""
    paths = [path.get("d") for path in svg.iter(f"{SVG}path") if path.get("class") == kind]
    lines = re.findall(r"M50 48L(\S+?) (-?[\d.]+)", "".join(paths))
    ends = np.array(lines, dtype=float).reshape(-1, 2)
    return np.sort(np.arctan2(48 - ends[:, 1], ends[:, 0] - 50) / np.pi)


def spiking_phases(phase, sparsifier=None):
    """Return a network in which a clock sees the phases' spikes."""
    n = len(phase)
    with nengo.Network() as net:
        net.phase = nengo.Node(phase)
        net.spikes = nengo.Node(size_in=n)
        nengo.Connection(net.phase, net.spikes, synapse=PhaseEncoder())
        net.clock = displays.phase_clock(n, sparsified=sparsifier is not None)
        nengo.Connection(net.spikes, net.clock[:n], synapse=None)
        if sparsifier:
            nengo.Connection(net.spikes, net.clock[n:], synapse=sparsifier)
    return net


def run(net, seconds):
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(seconds)


@pytest.mark.parametrize("n", [3, 40])
def test_clock_points_at_phases(n):
    phase = np.linspace(-0.95, 0.9, n)
    net = spiking_phases(phase)
    run(net, 0.3)
    svg = drawn(net.clock)
    # spikes are on steps of 0.02, ends of hands on tenths of 1/36 of their length
    assert np.allclose(hands(svg, "spike"), phase, atol=0.012)
    assert len(hands(svg, "missing")) == 0
    assert f"{n} of {n} spikes sent" in texts(svg)
    assert [p.get("class") for p in svg.iter(f"{SVG}path")].count("reference") == 1


def test_clock_has_faded_hands_for_spikes_left_out():
    phase = np.array([-0.8, -0.15, 0.05, 0.15, 0.6])
    net = spiking_phases(phase, ArcSparsifier(0.1))
    run(net, 0.35)
    svg = drawn(net.clock)
    assert np.allclose(hands(svg, "missing"), [0.05], atol=0.012)
    assert np.allclose(hands(svg, "spike"), phase[[0, 1, 3, 4]], atol=0.012)
    assert "4 of 5 spikes sent" in texts(svg)


def test_clock_sees_what_is_sent_a_step_late():
    """As on a backend where each hop takes a step."""
    with nengo.Network() as net:
        net.spikes = nengo.Node(lambda t: 1000.0 * (round(1000 * t) % 100 == 50))
        net.clock = displays.phase_clock(1, sparsified=True)
        nengo.Connection(net.spikes, net.clock[0], synapse=None)
        nengo.Connection(net.spikes, net.clock[1], synapse=0)
    run(net, 0.3)
    assert "1 of 1 spikes sent" in texts(drawn(net.clock))


def test_clock_has_a_hand_for_the_unit():
    with nengo.Network() as net:
        net.spikes = spikes = nengo.Node(size_in=3)
        phase = nengo.Node([0.4, -0.3, 0.1])
        nengo.Connection(phase, spikes, synapse=PhaseEncoder())
        net.clock = displays.phase_clock(2, unit=True)
        nengo.Connection(spikes, net.clock, synapse=None)
    run(net, 0.3)
    svg = drawn(net.clock)
    assert np.allclose(hands(svg, "unit"), [0.1], atol=0.012)
    assert np.allclose(hands(svg, "spike"), [-0.3, 0.4], atol=0.012)
    assert "2 of 2 spikes sent" in texts(svg)
    run(net, 0.03)
    assert len(hands(drawn(net.clock), "unit")) == 0  # a new simulation


def test_clock_misses_a_spike_after_a_cycle_and_a_half():
    with nengo.Network() as net:
        spike = nengo.Node(lambda t: 1000.0 * (round(1000 * t) == 50))
        net.clock = displays.phase_clock(1)
        nengo.Connection(spike, net.clock, synapse=None)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(0.04)
        assert len(hands(drawn(net.clock), "spike")) == len(hands(drawn(net.clock), "missing")) == 0
        sim.run(0.155)
        assert np.allclose(hands(drawn(net.clock), "spike"), [-0.01], atol=0.005)
        sim.run(0.01)
        assert np.allclose(hands(drawn(net.clock), "missing"), [-0.01], atol=0.005)


def test_clock_starts_anew_with_a_new_simulation():
    net = spiking_phases([0.5, -0.5])
    run(net, 0.2)
    assert len(hands(drawn(net.clock), "spike")) == 2
    run(net, 0.03)
    assert np.allclose(hands(drawn(net.clock), "spike"), [-0.5], atol=0.012)
    assert len(hands(drawn(net.clock), "missing")) == 0


def test_few_hands_differ_in_colour_and_keep_it_when_they_fade():
    def looks(sent):
        """Return each hand's colour and opacity, by its place on the circle."""
        svg = ElementTree.fromstring(drawings.clock_svg([0.1, 0.2, 0.3], sent))
        hands = [(g.find(f"{SVG}path"), float(g.get("opacity"))) for g in svg.iter(f"{SVG}g")]
        return {path.get("d"): (path.get("stroke"), opacity) for path, opacity in hands}

    all_sent, one_sent = looks([True] * 3), looks([False, True, False])
    assert len({color for color, _ in all_sent.values()}) == 3
    assert {d: color for d, (color, _) in all_sent.items()} == {
        d: color for d, (color, _) in one_sent.items()
    }
    assert sorted(opacity for _, opacity in one_sent.values()) == [0.25, 0.25, 1]
    assert {opacity for _, opacity in all_sent.values()} == {1}


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (5, 3, 3)])
def test_image(shape):
    values = np.random.RandomState(0).uniform(-1.5, 1.5, shape)
    with nengo.Network() as net:
        source = nengo.Node(values.ravel())
        display = displays.image(shape, low=-1)
        nengo.Connection(source, display, synapse=None)
    run(net, 0.002)
    (picture,) = drawn(display).iter(f"{SVG}image")
    assert (picture.get("height"), picture.get("width")) == (str(shape[0]), str(shape[1]))
    with_data = picture.get("href").partition("base64,")[2]
    seen = imread(io.BytesIO(b64decode(with_data)))
    expected = np.clip((values + 1) / 2, 0, 1)
    expected = expected[..., 0] if shape[-1] == 1 else expected
    assert np.allclose(seen, expected, atol=0.5 / 255 + 1e-6)


def test_image_is_small_enough_to_be_sent_in_each_step():
    noise = np.random.RandomState(0).uniform(size=(32, 32, 3))
    assert len(drawings.image_svg(noise)) < 5000


def test_classes():
    with nengo.Network() as net:
        source = nengo.Node([0.5, -1.0, 3.0])
        display = displays.classes(["cat", "dog & co", "<frog>"], low=0, high=2)
        nengo.Connection(source, display, synapse=None)
    run(net, 0.002)
    svg = drawn(display)
    bars = [float(bar.get("width")) for bar in svg.iter(f"{SVG}rect")]
    assert np.allclose(bars, [14, 0, 56])
    assert texts(svg) == ["<frog>", "cat", "dog & co", "<frog>"]


def named(values, lead):
    """Return the class that a display names that is told some values."""
    with nengo.Network() as net:
        display = displays.classes([*"abc"], lead=lead)
        nengo.Connection(nengo.Node(values), display, synapse=None)
    run(net, 0.001)
    return texts(drawn(display))[0]


@pytest.mark.parametrize("lead", [0, 0.5])
def test_no_class_stands_out_of_equals(lead):
    assert named([0.3, 0.3, 0.1], lead) == "–"


def test_class_is_named_once_it_leads():
    assert named([0.25, 0.5, 0.0], lead=0.0) == named([0.25, 0.5, 0.0], lead=0.25) == "b"
    assert named([0.25, 0.5, 0.0], lead=0.26) == "–"


def test_no_phase_class_is_named_before_all_can_have_spiked():
    net = spiking_phases([-0.6, 0.4, -0.9])
    with net:
        display = displays.phase_classes([*"abc"])
        nengo.Connection(net.spikes, display, synapse=None)
    run(net, 0.09)
    assert texts(drawn(display))[0] == "–"
    run(net, 0.13)
    assert texts(drawn(display))[0] == "b"


def test_caption_is_the_class_told():
    with nengo.Network() as net:
        truth = nengo.Node(lambda t: [0, t > 0.0015, 0])
        display = displays.image((2, 3), names=["cat", "dog & co", "frog"])
        nengo.Connection(nengo.Node(np.ones(6)), display[:6], synapse=None)
        nengo.Connection(truth, display[6:], synapse=None)
    seen = []
    for seconds in (0.001, 0.03):
        run(net, seconds)
        seen.append(texts(drawn(display)))
    assert seen == [["–"], ["dog & co"]]


def test_changes_are_drawn_a_while_after_the_last_drawing(monkeypatch):
    drawn_at = []
    monkeypatch.setattr(
        displays.Classes, "drawing", lambda self: drawn_at.append(round(self.now, 3)) or ""
    )
    with nengo.Network() as net:
        source = nengo.Node(lambda t: [t, 0] if t < 0.0305 else [0, 0])
        display = displays.classes(["a", "b"])
        nengo.Connection(source, display, synapse=None)
    for _ in range(2):
        with nengo.Simulator(net, progress_bar=False) as sim:
            for _ in range(50):
                sim.step()
                display.output._nengo_html_  # noqa: B018  (as Nengo GUI does after each step)
    assert drawn_at == [0.001, 0.021, 0.041] * 2


def test_phase_classes_decide_as_the_metric_does():
    rng = np.random.RandomState(1)
    names = [f"class {k}" for k in range(10)]
    for _ in range(5):
        phase = rng.uniform(-1, 1, 10)
        missing = rng.rand(10) < 0.3
        with nengo.Network() as net:
            source = nengo.Node(np.where(missing, -2.0, phase))
            spikes = nengo.Node(size_in=10)
            nengo.Connection(source, spikes, synapse=PhaseEncoder())
            sent = nengo.Node(lambda t, x, sent=~missing: x * sent, size_in=10)
            nengo.Connection(spikes, sent, synapse=None)
            display = displays.phase_classes(names)
            nengo.Connection(sent, display, synapse=None)
            raster, values = nengo.Probe(sent), nengo.Probe(display)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run(0.2)
        decoded = phases.from_raster(sim.data[raster], 10, 0.001)[-1]
        expected = int(metrics.phase_class(decoded))
        assert texts(drawn(display))[0] == names[expected]
        similar = np.cos(np.pi * (np.where(np.isnan(decoded), 0, decoded) - 0.5))
        assert np.allclose(sim.data[values][-1], similar)


@pytest.mark.parametrize(
    ("m_f", "angle"), [(0.8, 1), (0.2, 0), (0.4, 0.5), (5, 1.03), (0.01, -0.03)]
)
def test_dial_points_at_precision(m_f, angle):
    """On a logarithmic scale; a little beyond its ends at most."""
    with nengo.Network() as net:
        source = nengo.Node([m_f])
        dial = displays.precision_dial(0.8, 0.2)
        nengo.Connection(source, dial, synapse=None)
    run(net, 0.002)
    svg = drawn(dial)
    (needle,) = (p.get("d") for p in svg.iter(f"{SVG}path") if p.get("class") == "needle")
    x, y = map(float, re.fullmatch(r"M50 50L(\S+) (\S+)", needle).groups())
    seen = np.arctan2(50 - y, x - 50) / np.pi
    assert np.isclose(phases.difference(seen, angle), 0, atol=0.003)
    assert f"m_f = {m_f:g}" in texts(svg)


def test_displays_keep_to_the_place_they_are_given():
    """Whatever they show, of whatever proportions."""
    for svg in (
        drawings.clock_svg([0.1], [True]),
        drawings.image_svg(np.zeros((2, 3))),
        drawings.classes_svg("abc", [1, 2, 3]),
        drawings.dial_svg(0.3, 0.8, 0.2),
    ):
        root = ElementTree.fromstring(svg)
        assert (root.tag, root.get("width"), root.get("height")) == (f"{SVG}svg", "100%", "100%")
        assert len(root.get("viewBox").split()) == 4


def test_nothing_is_drawn_unless_somebody_looks(monkeypatch):
    monkeypatch.setattr(displays.PhaseClock, "drawing", lambda self: 1 / 0)
    net = spiking_phases([0.1])
    run(net, 0.2)
    with pytest.raises(ZeroDivisionError):
        net.clock.output._nengo_html_  # noqa: B018


def test_displays_have_labels_and_no_output():
    with nengo.Network():
        nodes = [
            displays.phase_clock(2, label="here"),
            displays.image((2, 2), label="here"),
            displays.classes(["a", "b"], label="here"),
            displays.precision_dial(0.8, 0.2, label="here"),
        ]
        assert displays.phase_classes(["a", "b", "c"]).size_out == 3
    assert [(node.label, node.size_out) for node in nodes] == [("here", 0)] * 4
    assert [node.size_in for node in nodes] == [2, 4, 2, 1]


def test_displays_are_host_nodes_of_nengo_loihi():
    nengo_loihi = pytest.importorskip("nengo_loihi")
    with nengo.Network(seed=0) as net:
        source = nengo.Node([1.0])
        ensemble = nengo.Ensemble(20, 1)
        nengo.Connection(source, ensemble)
        display = displays.classes(["low", "high"], low=-1)
        nengo.Connection(ensemble, display, transform=[[-1], [1]])
        clock = displays.phase_clock(20)
        nengo.Connection(ensemble.neurons, clock, synapse=None)
    with nengo_loihi.Simulator(net, progress_bar=False) as sim:
        sim.run(0.2)
    assert texts(drawn(display))[0] == "high"
    assert 0 < len(hands(drawn(clock), "spike")) <= 20


REFUSED = {
    "no neurons": lambda: displays.phase_clock(0),
    "half a neuron": lambda: displays.phase_clock(1.5),
    "no rhythm": lambda: displays.phase_clock(2, frequency=0),
    "too fast a rhythm": lambda: displays.phase_clock(2, frequency=300),
    "a flat image": lambda: displays.image((10,)),
    "a size alone": lambda: displays.image(28),
    "two colours": lambda: displays.image((3, 3, 2)),
    "an empty image": lambda: displays.image((3, 0)),
    "no range": lambda: displays.image((3, 3), low=1, high=1),
    "a word as a value": lambda: displays.image((3, 3), low="black"),
    "one class": lambda: displays.classes(["cat"]),
    "how many classes": lambda: displays.classes(10),
    "a word": lambda: displays.classes("cat"),
    "no range of bars": lambda: displays.classes(["a", "b"], low=1, high=0),
    "a range without end": lambda: displays.image((2, 2), high=np.inf),
    "a boolean as a value": lambda: displays.image((2, 2), high=True),
    "one class of phases": lambda: displays.phase_classes(["cat"]),
    "high precision that is low": lambda: displays.precision_dial(0.1, 0.2),
    "no precision": lambda: displays.precision_dial(0.1, 0),
    "a word as a precision": lambda: displays.precision_dial("low", 0.1),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused(why):
    with nengo.Network() as net, pytest.raises(ValidationError, match=r"must be|steps in a cycle"):
        REFUSED[why]()
    assert net.all_nodes == []
