import inspect
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from nengo.exceptions import ValidationError

from nengo_phasor import AdaptiveSpiking, dynamics, phases, plots

nan = np.nan

# one picture of each kind
PICTURES = {
    "spike_raster": lambda ax=None: plots.spike_raster(np.eye(20), 0.001, 100.0, ax=ax),
    "phase_histogram": lambda ax=None: plots.phase_histogram([0.1, nan, -0.5], ax=ax),
    "unit_circle": lambda ax=None: plots.unit_circle([0.1, nan, -0.5], ax=ax),
    "phase_raster": lambda ax=None: plots.phase_raster([[0.1, nan], [0.2, 0.3]], ax=ax),
    "accuracy_against_removed": lambda ax=None: plots.accuracy_against_removed(
        {"arc": ([0, 0.5], [0.9, 0.8])}, ax=ax, baseline=0.9
    ),
    "accuracy_against_spikes": lambda ax=None: plots.accuracy_against_spikes(
        {"arc": ([1000, 100], [0.9, 0.8])}, ax=ax
    ),
    "energy_bars": lambda ax=None: plots.energy_bars({"dense": {"synapse": 1e-6}}, ax=ax),
    "accuracy_over_cycles": lambda ax=None: plots.accuracy_over_cycles({"arc": [0.5, 0.9]}, ax=ax),
    "oscillator": lambda ax=None: plots.oscillator([0, 1, 0], [1, 0, -1], [0, 1, 0], 0.001, ax=ax),
    "transfer_function": lambda ax=None: plots.transfer_function(
        {"a": ([0, 1], [0, 1])}, {"a": ([0.5], [0.4])}, ax=ax
    ),
    "adaptive_neuron": lambda ax=None: plots.adaptive_neuron(
        [0.1, 0.2], [0, 0.1], [0.1, 0.11], [0, 1000], 0.001, ax=ax
    ),
}


@pytest.fixture
def axes():
    return Figure().add_subplot()


def line(ax, label):
    """Return the data of the line with a label, (2, n)."""
    (found,) = (artist for artist in ax.lines if artist.get_label() == label)
    return np.array(found.get_data())


def steps(ax):
    return [patch for patch in ax.patches if isinstance(patch, StepPatch)]


def lightness(color):
    """Return the luma of a colour, which is what is left of it in grey."""
    return np.dot(to_rgb(color), [0.299, 0.587, 0.114])


# --- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_draws_on_given_or_new_axes_and_returns_them(picture, axes, tmp_path):
    assert picture(ax=axes) is axes
    ax = picture()
    assert isinstance(ax, Axes)
    assert ax is not axes
    ax.figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_axes_are_labelled(picture):
    ax = picture()
    assert ax.get_xlabel()
    assert ax.get_ylabel() or not ax.get_yticks().size


def test_all_pictures_are_tested():
    functions = {
        name
        for name, value in vars(plots).items()
        if name != "__dir__"
        and inspect.isfunction(value)
        and value.__module__.startswith(plots.__name__)
    }
    assert functions == set(PICTURES) == set(plots.__all__)


def test_pyplot_stays_out():
    code = (
        "import sys, nengo_phasor; assert 'matplotlib' not in sys.modules\n"
        "nengo_phasor.plots.unit_circle([0.1]).figure.canvas.draw()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_matplotlib_gives_the_command():
    code = (
        "import sys, importlib.abc\n"
        "class Hidden(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'matplotlib':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "import nengo_phasor\n"
        "import importlib.util\n"
        "find_spec = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: "
        "None if name == 'matplotlib' else find_spec(name, *a)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "nengo_phasor.plots"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode
    assert 'pip install "nengo-phasor[plot]"' in done.stderr


def test_styles_differ_in_grey_and_in_line_and_marker():
    lights = [lightness(style["color"]) for style in plots.STYLES]
    assert np.diff(lights).min() > 0.1
    for key in ("linestyle", "marker"):
        assert len({style[key] for style in plots.STYLES}) == len(plots.STYLES)


# --- spikes ---------------------------------------------------------------------------------------


def test_spikes_are_in_the_middle_of_their_steps(axes):
    raster = np.zeros((40, 3))
    raster[4, 0] = raster[25, 2] = 1000
    plots.spike_raster(raster, 0.001, ax=axes)
    (spikes,) = axes.lines
    np.testing.assert_allclose(spikes.get_data(), [[0.0045, 0.0255], [0, 2]])
    assert not axes.collections  # no rhythm, no lines


def test_a_bank_is_sorted_by_resonance(axes):
    plots.spike_raster(np.eye(4), 0.001, ax=axes, resonance=[30.0, 10.0, 20.25, 2.0])
    (spikes,) = axes.lines
    np.testing.assert_allclose(spikes.get_ydata(), [3, 1, 2, 0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2", "10", "20.2", "30"]
    with pytest.raises(ValidationError, match=r"resonance.*needs shape \(4\)"):
        plots.spike_raster(np.eye(4), 0.001, ax=axes, resonance=[30.0])


@pytest.mark.parametrize("frequency", [10.0, 7.3])
def test_raster_shows_phases_where_the_lines_say(axes, frequency):
    # spikes at the reference phase are on the dotted lines, up to half a step
    dt, n_cycles = 0.001, 3
    raster = phases.to_raster([0.0], frequency, n_cycles, dt)
    plots.spike_raster(raster, dt, frequency, ax=axes)
    (spikes,) = axes.lines
    beginnings, references = (
        np.array([path.vertices[0, 0] for path in collection.get_paths()])
        for collection in axes.collections
    )
    # at 7.3 Hz the last step is in two cycles
    np.testing.assert_allclose(beginnings[:n_cycles], np.arange(n_cycles) / frequency)
    assert len(beginnings) == n_cycles + (frequency == 7.3)
    assert np.abs(references - spikes.get_xdata()).max() <= dt / 2 + 1e-9
    assert axes.get_xlim() == (0, pytest.approx(len(raster) * dt))
    styles = [c.get_linestyle() for c in axes.collections if isinstance(c, LineCollection)]
    assert styles[0] != styles[1]


def test_no_line_after_the_end(axes):
    plots.spike_raster(np.zeros((130, 2)), 0.001, 10.0, ax=axes)  # ends before its second reference
    beginnings, references = (len(c.get_paths()) for c in axes.collections)
    assert (beginnings, references) == (2, 1)


@pytest.mark.parametrize("shape", [(10,), (2, 10, 3)])
def test_pictures_of_one_item_refuse_others(shape):
    with pytest.raises(
        ValidationError, match=r"raster.*shape .*must be \(n_steps, n\).*select one item"
    ):
        plots.spike_raster(np.zeros(shape), 0.001)
    with pytest.raises(ValidationError, match=r"phases_per_cycle.*must be \(n_cycles, n\)"):
        plots.phase_raster(np.zeros(shape))


def test_oscillator_shows_states_at_the_end_of_their_steps(axes):
    dt, n_steps = 0.001, 300
    z = 2 * np.exp((-1 / 0.5 + 2j * np.pi * 10) * dt * np.arange(1, n_steps + 1))
    spikes = np.zeros(n_steps)
    spikes[[99, 199]] = 1 / dt
    plots.oscillator(z.real, z.imag, spikes, dt, ax=axes)
    times = np.linspace(dt, n_steps * dt, n_steps)
    np.testing.assert_allclose(line(axes, "voltage"), [times, z.real])
    np.testing.assert_allclose(line(axes, "current"), [times, z.imag])
    peaks = 2 * np.exp(-np.array([0.1, 0.2]) / 0.5)
    np.testing.assert_allclose(line(axes, "spike"), [[0.1, 0.2], peaks])


def test_oscillator_that_never_spikes(axes):
    rotation = dynamics.rotation(10.0, 0.5, 0.001)
    plots.oscillator([rotation.cos], [rotation.sin], [0], 0.001, ax=axes)
    assert line(axes, "spike").shape == (2, 0)


# --- adaptive neurons -----------------------------------------------------------------------------


def test_transfer_function_has_its_points_in_the_same_colour(axes):
    curves = {"fine": ([0, 1, 2], [0, 1, 1.5]), "coarse": ([0, 2], [0, 1.4])}
    plots.transfer_function(curves, {"coarse": ([0.5, 1.0], [0.4, 0.9])}, ax=axes)
    np.testing.assert_array_equal(line(axes, "fine"), curves["fine"])
    np.testing.assert_array_equal(line(axes, "coarse, simulated"), [[0.5, 1.0], [0.4, 0.9]])
    looks = {artist.get_label(): artist for artist in axes.lines}
    assert looks["coarse, simulated"].get_linestyle() == "None"
    assert looks["coarse, simulated"].get_marker() == "s"
    assert looks["coarse"].get_marker() == "None"
    assert looks["coarse"].get_color() == looks["coarse, simulated"].get_color()
    assert looks["coarse"].get_color() != looks["fine"].get_color()


def test_points_without_a_curve_are_refused():
    with pytest.raises(ValidationError, match=r"simulated: has 'b', which is not among the curves"):
        plots.transfer_function({"a": ([0], [0])}, {"b": ([0], [0])})


def test_adaptive_neuron_shows_what_probes_see(axes):
    """A neuron of a constant input, with the probes' values: it spikes where S > Shat + theta/2."""
    neuron, states = AdaptiveSpiking(), {"voltage": [], "refraction": [], "adaptation": []}
    state = neuron.make_state(1, np.random.RandomState(0), dtype=float)
    output, spikes = np.zeros(1), []
    for _ in range(200):
        neuron.step(0.001, np.ones(1), output, **state)
        spikes.append(output[0])
        for key, values in states.items():
            values.append(state[key][0])
    theta = neuron.theta_0 + np.array(states["adaptation"])
    plots.adaptive_neuron(states["voltage"], states["refraction"], theta, spikes, 0.001, ax=axes)
    np.testing.assert_array_equal(line(axes, "activation S")[1], states["voltage"])
    np.testing.assert_array_equal(line(axes, "threshold θ/2")[1], theta / 2)
    times, level = line(axes, "spike")
    np.testing.assert_allclose(times, 0.001 * (1 + np.flatnonzero(spikes)))
    assert (level < 0).all()
    assert axes.get_xlim() == (0, 0.2)


# --- phases ---------------------------------------------------------------------------------------


def test_histogram_counts_spikes_and_leaves_out_missing_ones(axes):
    values = np.array([[-1, -0.9, nan], [0.1, 0.2, nan], [0.3, 0.99, nan]])
    plots.phase_histogram(values, ax=axes, bins=4)
    (patch,) = steps(axes)
    shares, edges, _ = patch.get_data()
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_allclose(shares, 100 * np.array([2, 0, 3, 1]) / 6)


def test_histogram_goes_around_the_circle(axes):
    # 1 is the same as -1, -1.25 as 0.75
    plots.phase_histogram([1.0, -1.25], ax=axes, bins=4)
    (patch,) = steps(axes)
    np.testing.assert_allclose(patch.get_data().values, [50, 0, 0, 50])


def test_histogram_of_no_spikes_is_empty(axes):
    plots.phase_histogram([nan, nan], ax=axes, bins=4)
    (patch,) = steps(axes)
    assert patch.get_data().values.tolist() == [0, 0, 0, 0]


def test_histograms_on_the_same_axes_look_different(axes):
    for label in ("a", "b", "c"):
        plots.phase_histogram([0.0], ax=axes, label=label)
    looks = {(p.get_fill(), p.get_linestyle(), p.get_edgecolor()) for p in steps(axes)}
    assert len(looks) == 3
    assert axes.get_legend_handles_labels()[1] == ["a", "b", "c"]


def test_unit_circle_places_phases_on_it(axes):
    plots.unit_circle([[0, 0.5], [-1, -0.25]], ax=axes)
    (points,) = (artist for artist in axes.lines if artist.get_marker() == "o")
    expected = [[1, 0, -1, np.sqrt(0.5)], [0, 1, 0, -np.sqrt(0.5)]]
    np.testing.assert_allclose(points.get_data(), expected, atol=1e-12)
    assert axes.get_aspect() == 1
    assert any("reference" in text.get_text() for text in axes.texts)
    assert not any("missing" in text.get_text() for text in axes.texts)


def test_unit_circle_counts_missing_spikes_in_the_centre(axes):
    plots.unit_circle([0.3, nan, nan], ax=axes)
    (centre,) = (artist for artist in axes.lines if artist.get_marker() == "x")
    assert np.array_equal(centre.get_data(), [[0], [0]])
    assert 0.3 < lightness(centre.get_color()) < 0.8
    assert len(set(to_rgb(centre.get_color()))) == 1
    assert "2 missing" in [text.get_text() for text in axes.texts]


def test_phase_raster_maps_the_circle_without_a_seam(axes):
    values = np.array([[-1.0, -0.5, nan], [0.0, 0.999, nan]])
    plots.phase_raster(values, ax=axes)
    (image,) = axes.images
    shown = image.get_array()
    np.testing.assert_array_equal(shown.mask, np.isnan(values.T))
    np.testing.assert_array_equal(shown.compressed(), values.T[~np.isnan(values.T)])
    assert image.get_extent() == [0.5, 2.5, -0.5, 2.5]  # cycles 1, 2; neurons 0, 1, 2
    colors = image.to_rgba(np.array([-1.0, 0.9999, 0.0]))[:, :3]
    assert np.abs(colors[0] - colors[1]).max() < 0.02
    assert lightness(colors[0]) - lightness(colors[2]) > 0.5
    assert axes.patch.get_hatch()
    (bar,) = (ax for ax in axes.figure.axes if ax is not axes)
    assert "phase" in bar.get_ylabel()


# --- accuracy -------------------------------------------------------------------------------------


def test_accuracy_against_removed_is_in_percent_and_in_order(axes):
    curves = {"arc": ([0.0, 0.5, 0.2], [0.9, 0.7, 0.8]), "random": ([0, 1], [0.9, 0.1])}
    plots.accuracy_against_removed(curves, ax=axes, baseline=0.85)
    np.testing.assert_allclose(line(axes, "arc"), [[0, 20, 50], [90, 80, 70]])
    np.testing.assert_allclose(line(axes, "random"), [[0, 100], [90, 10]])
    np.testing.assert_allclose(line(axes, "all spikes")[1], 85)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["all spikes", "arc", "random"]


def test_accuracy_over_cycles_counts_from_one(axes):
    plots.accuracy_over_cycles({"a": [0.5, 0.75, 1.0], "b": [0.25, 0.5]}, ax=axes)
    np.testing.assert_allclose(line(axes, "a"), [[1, 2, 3], [50, 75, 100]])
    np.testing.assert_allclose(line(axes, "b"), [[1, 2], [25, 50]])
    axes.figure.canvas.draw()
    assert all(tick == int(tick) for tick in axes.get_xticks())


@pytest.mark.parametrize("n_curves", [2, 7])
def test_curves_get_styles_in_turn(axes, n_curves):
    plots.accuracy_over_cycles({str(k): [k / 10, 1] for k in range(n_curves)}, ax=axes)
    assert [artist.get_marker() for artist in axes.lines] == [
        plots.STYLES[k % len(plots.STYLES)]["marker"] for k in range(n_curves)
    ]


def test_accuracy_against_spikes_is_in_order_of_spikes(axes):
    plots.accuracy_against_spikes({"arc": ([900, 30], [0.9, 0.8])}, ax=axes)
    np.testing.assert_allclose(line(axes, "arc"), [[30, 900], [80, 90]])
    assert axes.get_xscale() == "log"


# --- energy ---------------------------------------------------------------------------------------


def test_bars_are_stacked_and_differ_without_colour(axes):
    cases = {"all": {"synapse": 3e-6, "update": 1e-6}, "rate": {"mac": 5e-6, "update": 2e-6}}
    plots.energy_bars(cases, axes)
    ends = {
        bars.get_label(): [bar.get_x() + bar.get_width() for bar in bars]
        for bars in axes.containers
    }
    assert ends["synapse"] == pytest.approx([3, 0])
    assert ends["update"] == pytest.approx([4, 2])
    assert ends["mac"] == pytest.approx([4, 7])
    assert len({bars[0].get_hatch() for bars in axes.containers}) == 3
    lights = [lightness(bars[0].get_facecolor()[:3]) for bars in axes.containers]
    assert np.diff(lights).min() > 0.1
