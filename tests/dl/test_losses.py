import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_phasor
from nengo_phasor import phases, surrogates

pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_phasor.dl import losses  # noqa: E402

N_CLASSES = 5


@pytest.fixture
def outputs():
    """Phases of shape (items, steps, classes): the network's, and the targets of some labels."""
    rng = np.random.RandomState(0)
    labels = rng.randint(N_CLASSES, size=(4, 3))
    return rng.uniform(-1, 1, (4, 3, N_CLASSES)), np.eye(N_CLASSES)[labels] / 2, labels


def value(loss, targets, got):
    return loss(*(tf.constant(phases.to_rows(p)) for p in (targets, got))).numpy()


def gradient(loss, targets, got):
    rows = tf.constant(phases.to_rows(got))
    with tf.GradientTape() as tape:
        tape.watch(rows)
        total = loss(tf.constant(phases.to_rows(targets)), rows)
    return tape.gradient(total, rows).numpy()


def test_phase_cosine(outputs):
    got, targets, _ = outputs
    expected = 1 - np.cos(np.pi * (got - targets)).mean()
    assert value(losses.PhaseCosine(), targets, got) == pytest.approx(expected)
    assert value(losses.PhaseCosine(), targets, targets) == pytest.approx(0, abs=1e-12)
    assert value(losses.PhaseCosine(), targets, targets + 1) == pytest.approx(2)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_quadrature_crossentropy(outputs, scale):
    got, targets, labels = outputs
    logits = scale * np.sin(np.pi * got)
    likelihood = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = -np.log(np.take_along_axis(likelihood, labels[..., None], axis=-1)).mean()
    loss = losses.QuadratureCrossentropy(scale)
    assert loss.scale == scale
    assert value(loss, targets, got) == pytest.approx(expected)


@pytest.mark.parametrize("loss", [losses.PhaseCosine(), losses.QuadratureCrossentropy()])
def test_targets_are_phasors(outputs, loss):
    """The classes' numbers would be multiplied with every output."""
    got, targets, labels = outputs
    rows = phases.to_rows(got)
    for wrong in (labels[..., None], 2.0 * targets):
        with pytest.raises(ValidationError, match=r"y_true: .* but the output has 10: .*to_rows"):
            loss(wrong.astype(float), rows)


def test_quadrature_crossentropy_has_a_default_scale(outputs):
    got, targets, _ = outputs
    assert value(losses.QuadratureCrossentropy(), targets, got) == pytest.approx(
        value(losses.QuadratureCrossentropy(5.0), targets, got)
    )


@pytest.mark.parametrize("smoothing", [1e-3, 0.1])
def test_reference_distance(outputs, smoothing):
    got, targets, _ = outputs
    expected = np.sqrt(1 - np.cos(np.pi * got) + smoothing).mean()
    loss = losses.ReferenceDistance(smoothing)
    for any_targets in (targets, 0 * targets):
        assert value(loss, any_targets, got) == pytest.approx(expected)
    assert np.isfinite(gradient(loss, targets, 0 * got)).all()


@pytest.mark.parametrize(("arc", "width"), [(0.1, 0.3), (0.4, 0.05)])
def test_spikes_outside_arc(outputs, arc, width):
    got, targets, _ = outputs
    ratio = np.sin(np.pi * np.abs(got) / 2) / np.sin(np.pi * arc / 2)
    expected = np.mean(1 / (1 + np.exp(-(ratio - 1) / width)))
    loss = losses.SpikesOutsideArc(arc, width)
    for any_targets in (targets, 0 * targets):
        assert value(loss, any_targets, got) == pytest.approx(expected, rel=1e-4)
    loss.sigma.assign(0.25)
    assert value(loss, targets, got) == pytest.approx(expected / 4, rel=1e-4)
    share = loss.share(None, tf.constant(phases.to_rows(got))).numpy()
    assert share.shape == got.shape[:2]
    assert share.mean() == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(gradient(loss, targets, 0 * got)).all()


def test_a_narrow_border_counts_what_the_arc_lets_through():
    """Against the sparsifier itself, on the spikes of such phases."""
    arc, frequency, dt = 0.2, 10.0, 0.001
    got = (np.arange(100) + 0.5) / 50 - 1
    raster = phases.to_raster(got, frequency, 1, dt)
    sent = nengo_phasor.ArcSparsifier(arc, frequency).filt(raster, dt=dt)
    loss = losses.SpikesOutsideArc(arc, 1e-3)
    assert value(loss, 0 * got, got) == pytest.approx(np.count_nonzero(sent) / 100, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "attr"),
    [
        *(({"arc": arc}, "arc") for arc in (0.0, 1.0, -0.1, np.nan, True, "half", [0.1])),
        *(({"arc": 0.1, "width": width}, "width") for width in (0.0, -1.0, np.nan, np.inf, True)),
    ],
)
def test_numbers_of_spikes_outside_arc(arguments, attr):
    with pytest.raises(ValidationError, match=f"SpikesOutsideArc.{attr}: must be"):
        losses.SpikesOutsideArc(**arguments)


@pytest.mark.parametrize(
    "loss",
    [
        losses.PhaseCosine(),
        losses.QuadratureCrossentropy(),
        losses.ReferenceDistance(),
        losses.SpikesOutsideArc(0.3),
    ],
)
def test_gradients(loss, outputs):
    """Against differences, in double precision."""
    got, targets, _ = outputs
    rows, exact, h = phases.to_rows(got), gradient(loss, targets, got), 1e-6
    wanted = tf.constant(phases.to_rows(targets))
    for place in [(0, 0, 0), (1, 2, 3), (3, 1, 7), (2, 0, 9)]:
        up, down = rows.copy(), rows.copy()
        up[place] += h
        down[place] -= h
        difference = (loss(wanted, tf.constant(up)) - loss(wanted, tf.constant(down))) / (2 * h)
        assert exact[place] == pytest.approx(difference.numpy(), abs=1e-8)


# --- numbers of spikes ----------------------------------------------------------------------------

N, N_STEPS, DT = 5, 12, 0.002


def spiking_probe(neuron_type=None, **kwargs):
    with nengo.Network():
        ensemble = nengo.Ensemble(N, 1, neuron_type=neuron_type or nengo_phasor.SurrogateLIF())
        return nengo.Probe(ensemble.neurons, **kwargs)


def raster(seed=0):
    return (np.random.RandomState(seed).rand(4, N_STEPS, N) < 0.4).astype(float)


@pytest.mark.parametrize("amplitude", [1.0, 0.3])
@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (2, 3), (4, 4), (np.arange(N), np.arange(N) + 1)]
)
def test_spike_count(amplitude, low, high):
    """Against loops over items and neurons."""
    probe = spiking_probe(nengo_phasor.SurrogateLIF(amplitude=amplitude))
    loss = losses.SpikeCount(probe, DT, 0.7, low, high)
    loss.sigma.assign(0.5)
    x, lows, highs = raster(), np.broadcast_to(low, N), np.broadcast_to(high, N)
    cost, total = [], 0
    for item in x:
        cost.append(0.0)
        for i in range(N):
            n = np.count_nonzero(item[:, i])
            total += n
            cost[-1] += n - highs[i] if n > highs[i] else lows[i] - n if n < lows[i] else 0
    y = tf.constant(x * amplitude / DT)
    assert loss(np.zeros((4, 1, 1)), y).numpy() == pytest.approx(0.35 * np.mean(cost))
    assert loss.spikes(None, y).numpy() == pytest.approx(total / 4)
    assert np.mean(cost) > 0


def test_the_gradient_of_a_spike_count():
    """Each spike costs the same, wherever it is; below the band, one less costs.

    On the band's borders the gradient is that of outside: a silent neuron is kept from spiking.
    """
    loss = losses.SpikeCount(spiking_probe(), DT, 2.0, 4, 6)
    y = tf.constant(raster() / DT)
    with tf.GradientTape() as tape:
        tape.watch(y)
        total = loss(None, y)
    counts = raster().sum(axis=1)
    sign = np.where(counts >= 6, 1, np.where(counts <= 4, -1, 0))
    assert {4, 5, 6} <= set(counts.ravel())
    expected = np.broadcast_to(2.0 * DT / 4 * sign[:, None], y.shape)
    np.testing.assert_allclose(tape.gradient(total, y), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 3, "3 is not a probe: give the nengo.Probe"),
        (lambda: spiking_probe(nengo.LIFRate()), "LIFRate neurons, which don't spike"),
        (lambda: spiking_probe(nengo_phasor.Phasor()), "Phasor neurons, which don't spike"),
        (lambda: spiking_probe(nengo_phasor.ResonateAndFire()), "no derivative: give .* a surr"),
        (lambda: spiking_probe(synapse=0.01), "misses spikes: set neither synapse"),
        (lambda: spiking_probe(sample_every=0.1), "misses spikes: set neither synapse"),
        (
            lambda: spiking_probe(attr="voltage"),
            "records the voltage of .*: probe an ensemble's `neurons`",
        ),
    ],
)
def test_probes_that_do_not_count_spikes(make, message):
    with pytest.raises(ValidationError, match=message):
        losses.SpikeCount(make())


def test_a_decoded_value_is_no_spikes():
    with nengo.Network():
        probe = nengo.Probe(nengo.Ensemble(N, 1))
    with pytest.raises(ValidationError, match="probe an ensemble's `neurons`"):
        losses.SpikeCount(probe)


@pytest.mark.parametrize(
    ("attr", "value"),
    [
        ("dt", 0),
        ("dt", "1 ms"),
        ("weight", -1),
        ("low", -1),
        ("low", 3),
        ("low", np.ones(N)),
        ("high", np.ones(N + 1)),
    ],
)
def test_numbers_of_a_spike_count(attr, value):
    with pytest.raises(ValidationError, match=rf"SpikeCount\.{attr}: must be"):
        losses.SpikeCount(spiking_probe(), **{attr: value})


@pytest.mark.parametrize(
    "neuron_type",
    [
        nengo.LIF(),
        nengo.SpikingRectifiedLinear(),
        nengo_phasor.AdaptiveSpiking(),
        nengo_phasor.AdaptiveSpiking(surrogate=surrogates.FastSigmoid()),
        nengo_phasor.ResonateAndFire(surrogate=surrogates.FastSigmoid()),
    ],
)
def test_spikes_of_other_neurons_can_be_counted(neuron_type):
    probe = spiking_probe(neuron_type)
    y = tf.constant(raster() * getattr(neuron_type, "amplitude", 1.0) / DT)
    expected = raster().sum() / 4
    assert losses.SpikeCount(probe, DT)(None, y).numpy() == pytest.approx(expected)


NO_NUMBERS = (0.0, -1.0, np.nan, np.inf, True, "steep", [1.0, 2.0], None)


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize(
    ("loss", "attr"),
    [(losses.QuadratureCrossentropy, "scale"), (losses.ReferenceDistance, "smoothing")],
)
def test_numbers_of_losses(loss, attr, number):
    with pytest.raises(ValidationError, match=f"{loss.__name__}.{attr}: must be"):
        loss(**{attr: number})


SAVED = [
    losses.PhaseCosine(),
    losses.QuadratureCrossentropy(2.5),
    losses.ReferenceDistance(0.01),
    losses.SpikesOutsideArc(0.3, 0.2),
]


@pytest.mark.parametrize("loss", SAVED, ids=lambda loss: loss.name)
@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_losses_are_saved_with_keras_models(loss, file, tmp_path):
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(4)])
    model.compile("sgd", loss=loss)
    model.save(tmp_path / file)
    loaded = tf.keras.models.load_model(tmp_path / file).loss
    assert type(loaded) is type(loss)
    assert loaded.get_config() == loss.get_config()


@pytest.mark.parametrize("loss", SAVED, ids=lambda loss: loss.name)
def test_outputs_that_are_no_phasors(loss):
    with pytest.raises(ValidationError, match=r"y_pred: has 5 values.*real and imaginary"):
        loss(np.zeros((2, 5)), np.zeros((2, 5)))


@pytest.mark.parametrize("loss", SAVED, ids=lambda loss: loss.name)
def test_a_diverged_network_has_no_loss(loss):
    rows = phases.to_rows(np.full((2, 3), 0.1))
    rows[1] = np.nan
    assert np.isnan(loss(phases.to_rows(np.zeros((2, 3))), rows))


# ------------------------------------------------------------------------------- classes of steps


def cross_entropies(labels, logits):
    """Of each item and step, by the definition."""
    likelihood = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return -np.log(np.take_along_axis(likelihood, labels[..., None], axis=-1))[..., 0]


def test_step_crossentropy():
    rng = np.random.RandomState(0)
    labels, logits = rng.randint(N_CLASSES, size=(4, 30)), rng.normal(size=(4, 30, N_CLASSES))
    loss = losses.StepCrossentropy()
    got = loss(labels[..., None].astype(float), tf.constant(logits)).numpy()
    assert got == pytest.approx(cross_entropies(labels, logits).mean())


def test_step_crossentropy_leaves_out_unlabelled_steps():
    """It is the mean over the labelled ones, and the others have no gradient."""
    rng = np.random.RandomState(0)
    labels, logits = rng.randint(N_CLASSES, size=(4, 30)), rng.normal(size=(4, 30, N_CLASSES))
    known = rng.rand(4, 30) < 0.4
    targets = np.where(known, labels, 255)[..., None].astype(float)
    outputs = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        value = losses.StepCrossentropy(unlabelled=255)(targets, outputs)
    assert value.numpy() == pytest.approx(cross_entropies(labels, logits)[known].mean())
    by_logits = tape.gradient(value, outputs).numpy()
    assert not by_logits[~known].any()
    assert by_logits[known].all()


@pytest.mark.parametrize(
    ("label", "unlabelled", "message"),
    [
        (255, None, r"has 255, .*not one of 3 classes.*unlabelled="),
        (-1, 255, r"has -1, "),
        (0.5, None, r"has 0\.5, "),
    ],
)
def test_step_crossentropy_refuses_other_targets(label, unlabelled, message):
    with nengo.Network() as net:
        node, out = nengo.Node(np.zeros(2)), nengo.Node(size_in=3)
        nengo.Connection(node, out, transform=np.ones((3, 2)), synapse=None)
        probe = nengo.Probe(out)
    sim = nengo_phasor.layerwise.Simulator(net, progress_bar=False)
    sim.compile("sgd", loss={probe: losses.StepCrossentropy(unlabelled)})
    y = np.zeros((4, 5, 1))
    y[2, 3] = label
    with pytest.raises(ValidationError, match=message):
        sim.fit({node: np.zeros((4, 5, 2))}, {probe: y}, verbose=0)


def test_step_crossentropy_is_saved():
    loss = losses.StepCrossentropy(7)
    assert losses.StepCrossentropy.from_config(loss.get_config()).unlabelled == 7
    with pytest.raises(ValidationError, match="unlabelled"):
        losses.StepCrossentropy("none")


def test_steps_without_a_class_are_not_left_out_in_silence():
    """In NengoDL, which does not check targets: TensorFlow refuses them, or the loss is NaN."""
    loss, logits = losses.StepCrossentropy(), tf.zeros((1, 2, 3))
    try:
        found = loss(tf.constant([[[-1.0], [0.0]]]), logits).numpy()
    except tf.errors.InvalidArgumentError:
        return
    assert np.isnan(found)
