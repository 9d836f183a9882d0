import json

import numpy as np
import pytest

from nengo_phasor import datasets, phases
from nengo_phasor.networks import RandomProjection
from tests.cli.common import invoke


def test_convert_phasor(tmp_path):
    """Iris through a random network: its classes by the phase domain's equation, in NumPy."""
    rng = np.random.default_rng(0)
    params = {"seed": 3, "spread": 0.4}
    for k, (n_in, n_out) in enumerate([(16, 12), (12, 3)]):
        params[f"weights_{k}"] = rng.normal(0, n_in**-0.5, (n_in, n_out))
        params[f"bias_{k}"] = np.full((1, n_out), 0.3)
    datasets.save_params(tmp_path / "p.npz", **params)
    output = tmp_path / "found.json"
    arguments = ("--set", "iris", "--images", 150, "--output", output)
    shown = invoke(
        "convert",
        "phasor",
        tmp_path / "p.npz",
        *arguments,
        "--sparsifier",
        "arc",
        "--strength",
        0.5,
    )
    assert shown.exit_code == 0, shown.output
    found = json.loads(output.read_text())["figures"]

    iris = datasets.iris()
    z = phases.to_complex(RandomProjection(4, 16, 0.4, 3).encode(iris.x_train.astype(np.float32)))
    for k in range(2):
        z = z @ params[f"weights_{k}"] + params[f"bias_{k}"]
        z /= np.abs(z)
    expected = np.mean(np.argmax(z.imag, axis=1) == iris.y_train)
    assert found["neurons"] == [12, 3]
    assert found["synapses"] == 16 * 12 + 12 * 3
    assert found["accuracy in the phase domain"] == pytest.approx(expected, abs=0.01)
    assert found["accuracy in spikes, dense"] == pytest.approx(expected, abs=0.1)
    assert found["spikes per item, dense"] == pytest.approx(8 * 15, rel=0.1)  # one a cycle
    assert found["spikes per item, arc"] < 0.8 * found["spikes per item, dense"]


def test_convert_refuses_what_it_cannot_read(tmp_path):
    datasets.save_params(tmp_path / "p.npz", weights=np.zeros(3))
    shown = invoke("convert", "phasor", tmp_path / "p.npz", "--set", "iris")
    assert shown.exit_code == 1
    assert "lacks weights_0, bias_0, seed, spread; it has weights" in shown.output
    assert invoke("convert", "phasor", tmp_path / "none.npz").exit_code == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights_1": np.ones((5, 3))}, r"weights_1 has shape (5, 3), bias_1 (1, 3)"),
        ({"weights_1": np.ones((5, 3))}, r"need (6, units) and (units,)"),
        ({"bias_1": np.ones(4)}, r"weights_1 has shape (6, 3), bias_1 (4,)"),
        ({"bias_1": None}, r"weights_1 has shape (6, 3), bias_1 ()"),
        ({"weights_0": np.ones(6)}, r"weights_0 has shape (6,), bias_0 (6,)"),
        ({"weights_1": np.ones((6, 4)), "bias_1": np.ones(4)}, "4 outputs, but iris has 3 classes"),
    ],
)
def test_convert_refuses_weights_of_other_shapes(tmp_path, changes, message):
    arrays = {
        "weights_0": np.ones((8, 6)),
        "bias_0": np.ones(6),
        "weights_1": np.ones((6, 3)),
        "bias_1": np.ones((1, 3)),
        "seed": 0,
        "spread": 0.5,
    }
    arrays = {key: x for key, x in {**arrays, **changes}.items() if x is not None}
    datasets.save_params(tmp_path / "p.npz", **arrays)
    shown = invoke("convert", "phasor", tmp_path / "p.npz", "--set", "iris", "--images", 1)
    assert shown.exit_code == 1
    assert message in shown.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--strength", 0.2), "--strength needs --sparsifier"),
        (("--sparsifier", "arc", "--strength", 2), "2.0 is not in the range 0<=x<=1"),
        (("--sparsifier", "arc", "--strength", "much"), "'much' is not a valid float"),
        (("--set", "irises"), "'irises' is not one of"),
    ],
)
def test_convert_checks_its_options(tmp_path, options, message):
    (tmp_path / "p.npz").touch()
    shown = invoke("convert", "phasor", tmp_path / "p.npz", *options)
    assert shown.exit_code == 2
    assert message in shown.output


def test_convert_adaptive(tmp_path):
    pytest.importorskip("nengo_dl")
    import tensorflow as tf

    from nengo_phasor.dl.activations import HalfSigmoid

    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Input((4,)), layers.Dense(8), HalfSigmoid(), layers.Dense(3)]
    )
    model.save(tmp_path / "iris.keras")
    output = tmp_path / "found.json"
    shown = invoke(
        "convert", "adaptive", tmp_path / "iris.keras", "--set", "iris", "--output", output
    )
    assert shown.exit_code == 0, shown.output
    found = json.loads(output.read_text())["figures"]
    iris = datasets.iris()
    expected = np.mean(np.argmax(model(iris.x_train[:100]), axis=1) == iris.y_train[:100])
    assert list(found["neurons"].values()) == [8]
    assert found["synapses"] == 4 * 8 + 8 * 3
    assert found["accuracy of the Keras model"] == pytest.approx(expected)
    assert found["accuracy in spikes"] == pytest.approx(expected, abs=0.1)
    assert 0 < found["firing rate (Hz)"] < 1000
    shown = invoke("convert", "adaptive", tmp_path / "iris.keras", "--set", "sonar")
    assert shown.exit_code == 1
    assert "takes (4,); sonar has items of (60,)" in shown.output
    many = tf.keras.Sequential([layers.Input((4,)), HalfSigmoid(), layers.Dense(7)])
    many.save(tmp_path / "many.keras")
    shown = invoke("convert", "adaptive", tmp_path / "many.keras", "--set", "iris")
    assert shown.exit_code == 1
    assert "has 7 outputs, but iris has 3 classes: choose the --set" in shown.output
    shown = invoke("convert", "adaptive", tmp_path / "many.keras")
    assert shown.exit_code == 0
    assert "Only the conversion was checked; use --set" in shown.output
    assert invoke("convert", "adaptive", tmp_path / "many.keras", "--m-f", 0).exit_code == 2
    shown = invoke("convert", "adaptive", output)
    assert shown.exit_code == 1
    assert "is not a model that Keras can load" in shown.output
