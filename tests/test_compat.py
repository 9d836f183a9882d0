"""The backends on today's TensorFlow, Keras and NumPy.

The order of imports matters here, so most scenarios run in interpreters of their own.
"""

import numpy as np
import pytest

from tests.interpreters import needs_dl, needs_loihi, run

# a model of the user's, in Keras 3: a line fitted by least squares
KERAS_3 = """
def fit_with_keras_3():
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    x = np.tile(np.linspace(-1, 1, 64), 150)[:, None]
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    model.fit(x, 3 * x + 0.5, batch_size=64, shuffle=False, verbose=0)
    assert keras.__version__.startswith("3.")
    return np.concatenate([weight.ravel() for weight in model.get_weights()]).tolist()
"""

# LIF neurons learn the product of signs (exclusive or) of two inputs; nengo's simulator, knowing
# nothing of NengoDL, then runs the trained network on points it was not trained on
LIF_TRAINING = """
def train_lif():
    import nengo
    import nengo_dl
    import numpy as np
    import tensorflow as tf

    rng = np.random.RandomState(0)
    points = rng.uniform(-1, 1, (560, 2))
    points = points[np.abs(points).min(axis=1) > 0.15]
    classes = (points[:, 0] * points[:, 1] > 0).astype(int)
    train, test = slice(40, None), slice(0, 40)

    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(stateful=False)
        inputs = nengo.Node(nengo.processes.PresentInput(points[test], 0.1))
        hidden = nengo.Ensemble(
            60, 1, neuron_type=nengo.LIF(amplitude=0.01),
            gain=nengo.dists.Choice([1]), bias=nengo.dists.Uniform(0, 2),
        )
        outputs = nengo.Node(size_in=2)
        weights = nengo_dl.dists.Glorot(distribution="normal")
        nengo.Connection(inputs, hidden.neurons, transform=weights, synapse=None)
        nengo.Connection(hidden.neurons, outputs, transform=weights, synapse=None)
        probe = nengo.Probe(outputs)

    def accuracy_in_nengo():
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run(4.0)
        means = sim.data[probe].reshape(40, 100, 2)[:, 20:].mean(axis=1)
        return float(np.mean(means.argmax(axis=1) == classes[test]))

    with nengo_dl.Simulator(net, minibatch_size=40, seed=0, progress_bar=False) as sim:
        sim.freeze_params(net)
        before = accuracy_in_nengo()
        sim.compile(
            optimizer=tf.optimizers.Adam(0.02),
            loss=tf.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        n = len(points[train]) // 40 * 40
        history = sim.fit(
            points[train][:n, None], classes[train][:n, None, None], epochs=15, verbose=0
        )
        sim.freeze_params(net)
        keras = type(sim.keras_model).__mro__[1].__module__
    return {
        "losses": history.history["loss"],
        "before": before,
        "after": accuracy_in_nengo(),
        "keras": keras,
    }
"""

# synapses of each kind that NengoDL builds in its own way, in both simulators
FILTERING = """
def filtered():
    import nengo
    import nengo_dl
    import numpy as np

    synapses = {
        "no state": nengo.LinearFilter([0.5], [1], analog=False),
        "one state": nengo.LinearFilter([1], [0.01, 1]),
        "no passthrough": nengo.Alpha(0.01),
        "general": nengo.LinearFilter([0.02, 1], [0.01, 1]),
    }
    with nengo.Network(seed=0) as net:
        signal = nengo.Node(nengo.processes.WhiteSignal(1.0, high=20), size_out=2)
        probes = {name: nengo.Probe(signal, synapse=s) for name, s in synapses.items()}

    def run(simulator):
        with simulator(net, progress_bar=False) as sim:
            sim.run(0.05)
        return {name: np.reshape(sim.data[p], (50, 2)).tolist() for name, p in probes.items()}

    return {"nengo": run(nengo.Simulator), "nengo_dl": run(nengo_dl.Simulator)}
"""

# the same LIF network, with constant input, on the emulator and in nengo
LOIHI_RATES = """
def lif_rates():
    import nengo
    import nengo_loihi
    import numpy as np

    with nengo.Network(seed=1) as net:
        stimulus = nengo.Node([0.5])
        ensemble = nengo.Ensemble(50, 1, max_rates=nengo.dists.Uniform(60, 120))
        nengo.Connection(stimulus, ensemble, synapse=None)
        probe = nengo.Probe(ensemble.neurons)

    def rates(simulator, **options):
        with simulator(net, progress_bar=False, **options) as sim:
            sim.run(1.0)
        return np.mean(sim.data[probe] > 0, axis=0) / sim.dt

    return {
        "nengo": rates(nengo.Simulator).tolist(),
        "emulator": rates(nengo_loihi.Simulator, target="sim").tolist(),
    }
"""


@pytest.fixture(scope="module")
def phasor_first():
    """nengo_phasor, Keras 3 in use, NengoDL and nengo-loihi, Keras 3 again, then all at work."""
    return run(
        KERAS_3
        + LIF_TRAINING
        + FILTERING
        + LOIHI_RATES
        + """
import sys
import nengo_phasor
import nengo_phasor
from nengo_phasor import compat

seen["called"] = []
compat.on_import("nengo_dl", lambda module: seen["called"].append(module.Simulator.__name__))
seen["line before"] = fit_with_keras_3()
keras, keras_layers = sys.modules["keras"], sys.modules["keras.layers"]
tensorflow = sys.modules["tensorflow"]

import nengo_dl
compat.on_import("nengo_dl", lambda module: seen["called"].append("again"))
import nengo_loihi

seen["same keras"] = keras is sys.modules["keras"] and keras_layers is sys.modules["keras.layers"]
seen["keras.engine"] = [name for name in sys.modules if name.startswith("keras.engine")]
seen["nengo-loihi has NengoDL"] = nengo_loihi.compat.HAS_DL
seen["numpy itself"] = nengo_loihi.block.np is sys.modules["numpy"]
seen["training"] = train_lif()
seen["filtered"] = filtered()
seen["rates"] = lif_rates()
seen["line after"] = fit_with_keras_3()
from tensorflow.keras.layers import Dense
seen["tensorflow.keras"] = Dense.__module__
"""
    )


@pytest.fixture(scope="module")
def phasor_last():
    """Both backends before nengo_phasor, as a sorter of imports would have it."""
    return run(
        KERAS_3
        + LOIHI_RATES
        + """
import nengo_loihi  # does without NengoDL, but imports TensorFlow
try:
    import nengo_dl
except ImportError as error:
    seen["without"] = str(error)

import nengo_phasor
import nengo_dl
import sys

seen["keras"] = nengo_dl.compat.Functional.__module__
seen["keras.engine"] = [name for name in sys.modules if name.startswith("keras.engine")]
seen["rates"] = lif_rates()
from tensorflow.keras.layers import Dense
seen["tensorflow.keras"] = Dense.__module__
seen["line"] = fit_with_keras_3()
"""
    )


def test_importing_nengo_phasor_imports_no_backend():
    seen = run(
        """
        import sys
        import nengo
        before = set(sys.modules)
        import nengo_phasor
        seen["new"] = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
        """
    )
    heavy = {"tensorflow", "keras", "tf_keras", "nengo_dl", "nengo_loihi", "scipy", "matplotlib"}
    assert "nengo_phasor" in seen["new"]
    assert not heavy & set(seen["new"])


@needs_dl
@needs_loihi
class TestPhasorFirst:
    def test_nengo_dl_trains_lif_neurons(self, phasor_first):
        training = phasor_first["training"]
        assert training["keras"].startswith("tf_keras.")
        assert training["losses"][-1] < 0.5 * training["losses"][0]
        assert training["before"] <= 0.75
        assert training["after"] >= 0.9

    @pytest.mark.parametrize("filter_", ["no state", "one state", "no passthrough", "general"])
    def test_nengo_dl_filters_as_nengo(self, filter_, phasor_first):
        nengo, nengo_dl = (phasor_first["filtered"][s][filter_] for s in ("nengo", "nengo_dl"))
        assert np.ptp(nengo) > 0.1
        np.testing.assert_allclose(nengo_dl, nengo, atol=1e-5)

    def test_nengo_loihi_finds_nengo_dl(self, phasor_first):
        assert phasor_first["nengo-loihi has NengoDL"]

    def test_nengo_loihi_keeps_numpy_1(self, phasor_first):
        assert phasor_first["numpy itself"] == (np.__version__ < "2")

    def test_emulator_fires_at_nengos_rates(self, phasor_first):
        assert_same_rates(phasor_first["rates"])

    def test_keras_3_is_undisturbed(self, phasor_first):
        assert phasor_first["same keras"]
        assert phasor_first["keras.engine"] == []
        np.testing.assert_allclose(phasor_first["line before"], [3, 0.5], atol=0.02)
        np.testing.assert_allclose(phasor_first["line after"], phasor_first["line before"])

    def test_tensorflow_keras_is_keras_2(self, phasor_first):
        assert phasor_first["tensorflow.keras"].startswith("tf_keras.")

    def test_callbacks_are_called_once(self, phasor_first):
        assert phasor_first["called"] == ["Simulator", "again"]


@needs_dl
@needs_loihi
class TestPhasorLast:
    def test_nengo_dl_is_mended(self, phasor_last):
        assert "keras.engine" in phasor_last["without"]
        assert phasor_last["keras"].startswith("tf_keras.")
        assert phasor_last["tensorflow.keras"].startswith("tf_keras.")

    def test_nengo_loihi_is_mended(self, phasor_last):
        assert_same_rates(phasor_last["rates"])

    def test_keras_3_is_undisturbed(self, phasor_last):
        assert phasor_last["keras.engine"] == []
        np.testing.assert_allclose(phasor_last["line"], [3, 0.5], atol=0.02)


def assert_same_rates(rates):
    nengo, emulator = np.array(rates["nengo"]), np.array(rates["emulator"])
    assert np.count_nonzero(nengo) > 10
    # the emulator rounds each interval between spikes to whole steps: at rates below 120 Hz by up
    # to one step of more than 8
    np.testing.assert_allclose(emulator, nengo, rtol=1 / 8, atol=2)
    np.testing.assert_allclose(emulator.mean(), nengo.mean(), rtol=0.05)


# ------------------------------------------------------------------------------------- the errors


@needs_dl
def test_keras_3_in_use_as_tf_keras_cannot_be_mended():
    seen = run(
        """
        import os
        import nengo_phasor
        import tensorflow as tf

        def import_nengo_dl():
            try:
                import nengo_dl
            except ImportError as error:
                return str(error)

        tf.losses.mse
        seen["losses"] = import_nengo_dl()
        from tensorflow.keras.layers import Dense
        seen["keras"] = import_nengo_dl()
        seen["same"] = tf.keras.layers.Dense is Dense and Dense.__module__.startswith("keras.")
        seen["variable"] = "TF_USE_LEGACY_KERAS" in os.environ
        """
    )
    for name in ("losses", "keras"):
        assert f"tf.{name} has already been used and is Keras 3" in seen[name]
        assert "Import nengo_phasor and nengo_dl before tensorflow" in seen[name]
        assert "set TF_USE_LEGACY_KERAS=1" in seen[name]
    assert seen["same"]
    assert not seen["variable"]


@needs_dl
def test_tf_keras_must_have_tensorflows_version():
    seen = run(
        """
        import sys
        from importlib import metadata
        import nengo_phasor

        def import_nengo_dl(tensorflow, tf_keras):
            def version(name):
                found = {"tensorflow": tensorflow, "tf-keras": tf_keras, "nengo-dl": "3.6.0"}
                if found.get(name) is None:
                    raise metadata.PackageNotFoundError(name)
                return found[name]

            metadata.version = version
            try:
                import nengo_dl
            except ImportError as error:
                return str(error)

        seen["missing"] = import_nengo_dl("2.18.1", None)
        seen["older"] = import_nengo_dl("2.21.0", "2.19.0")
        seen["left"] = [name for name in ("nengo_dl", "tensorflow") if name in sys.modules]
        """
    )
    assert "TensorFlow 2.18 is installed, tf-keras is not installed" in seen["missing"]
    assert 'pip install "tf-keras~=2.18.0"' in seen["missing"]
    assert "TensorFlow 2.21 is installed, tf-keras 2.19 is installed" in seen["older"]
    assert 'pip install "tf-keras~=2.21.0"' in seen["older"]
    assert seen["left"] == []


@needs_dl
@needs_loihi
def test_backends_do_not_warn_of_what_is_mended():
    seen = run(
        """
        import sys, warnings
        sys.warnoptions.clear()
        warnings.resetwarnings()
        import nengo_phasor
        import nengo
        with warnings.catch_warnings(record=True) as caught:
            import nengo_dl
            import nengo_loihi
            with nengo.Network() as net:
                nengo.Probe(nengo.Node([0]))
            nengo_dl.Simulator(net, progress_bar=False).close()
            warnings.warn("No GPU support detected, says somebody else")
        seen["caught"] = [str(c.message) for c in caught if c.category is UserWarning]
        """
    )
    assert seen["caught"] == ["No GPU support detected, says somebody else"]
