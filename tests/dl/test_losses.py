import numpy as np
import pytest

import nengo_phasor  # noqa: F401
from nengo_phasor import phases

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


@pytest.mark.parametrize(
    "loss", [losses.PhaseCosine(), losses.QuadratureCrossentropy(), losses.ReferenceDistance()]
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
