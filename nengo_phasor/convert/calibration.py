"""The coarsest precision at which spikes keep a network's accuracy: `.Converted.calibrate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.exceptions import SimulationError, ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import compat
from nengo_phasor.checks import check_array, check_classes
from nengo_phasor.convert.construction import like
from nengo_phasor.neurons import AdaptiveSpikingRate

PRECISIONS = (1.2, 0.85, 0.6, 0.45, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05)
"""The values of m_f that are tried by default."""

DT = 0.001
"""The time step, in seconds."""

IMAGES = 50
"""The largest number of images that run together."""

AT_ONCE = 2**25
"""The largest number of spikes, or places without one, that are kept at a time."""


class CalibrationTrial(NamedTuple):
    """What a network does at one precision.

    ``m_f`` is that of each layer. ``accuracy`` is the fraction of images whose class is the one
    that was given, ``rate`` the mean firing rate in Hz, and ``spikes`` the number of spikes for an
    image.
    """

    m_f: dict[str, float]
    accuracy: float
    rate: float
    spikes: float


class Calibration(NamedTuple):
    """The outcome of `.Converted.calibrate`.

    ``m_f``, ``accuracy``, ``rate`` and ``spikes`` are those of the precision that was chosen, as in
    `CalibrationTrial`. ``analog`` is the accuracy without spikes, on the same images. ``trials``
    has everything that was tried, in order.
    """

    m_f: dict[str, float]
    accuracy: float
    rate: float
    spikes: float
    analog: float
    trials: list[CalibrationTrial]


def checked(
    converted: Any, images: ArrayLike, labels: ArrayLike, precisions: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return flat images, the class of each, and the precisions from coarse to fine."""
    x = check_array(images, "images", "(n_items, ...)", converted)
    size, n_classes = converted.input.size_out, converted.output.size_in
    if x[0].size != size:
        raise ValidationError(
            f"has shape {x.shape}, but needs (n_items, ...), with {size} values for each item",
            "images",
            converted,
        )
    if n_classes < 2:
        raise ValidationError(
            "is a single value, but calibration needs classes: use set_precision",
            "output",
            converted,
        )
    if np.shape(labels) == (len(x), n_classes):
        labels = check_array(labels, "labels", obj=converted).argmax(axis=1)
    labels = check_classes(labels, "labels", len(x), n_classes, converted)
    tried = check_array(precisions, "precisions", "(n,)", converted)
    if not tried.size or tried.min() <= 0:
        raise ValidationError(
            f"must be at least one value greater than 0, got {precisions!r}",
            "precisions",
            converted,
        )
    return x.reshape(len(x), -1).astype(np.float32), labels, np.unique(tried)[::-1].tolist()


class Trials:
    """Trials of a network's precisions, all on the same images. The network is not changed.

    In layers of graded spikes, the threshold at rest is m_f times the root mean square of the
    layer's activations above 0, on the images. Of normalised activations that is m_f.

    Parameters
    ----------
    converted : Converted
        The network.
    x : (n_items, size) ndarray
        The images.
    classes : (n_items,) ndarray
        The classes to reach.
    n_steps : int
        The number of steps for which an image is shown.
    """

    def __init__(self, converted: Any, x: np.ndarray, classes: np.ndarray, n_steps: int):
        self.x, self.classes, self.n_steps = x, classes, n_steps
        self.done: list[CalibrationTrial] = []
        self.network = converted.copy()
        self.own = converted.neurons
        rates = converted.rate_network()
        for name, ensemble in rates.layers.items():
            ensemble.neuron_type = like(AdaptiveSpikingRate, self.own[name])
        self.analog, self.scales = self._without_spikes(rates)
        with self.network:
            self.probes = [nengo.Probe(e.neurons) for e in self.network.layers.values()]

    def _without_spikes(self, network):
        """Return the accuracy of a rate network, and the scale of each layer's activations."""
        with network:
            probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
        right, squares, active = 0, dict.fromkeys(probes, 0.0), dict.fromkeys(probes, 0)
        for part, seen, _ in shown(network, self.x, 1, "without spikes"):
            right += self._right(seen[network.output], part)
            for name, probe in probes.items():
                squares[name] += np.sum(np.square(seen[probe], dtype=float))
                active[name] += np.count_nonzero(seen[probe])
        scales = {}
        for name, neurons in self.own.items():
            slope = neurons.amplitude / neurons.tau_eta  # of the mean output, if it is a line
            of_outputs = np.sqrt(squares[name] / active[name]) if active[name] else slope
            scales[name] = float(of_outputs / slope)
        return right / len(self.x), scales

    def _right(self, outputs, part):
        """Return how many images of a part get their class, which has the highest output."""
        if not np.all(np.isfinite(outputs)):
            raise SimulationError(
                f"the network {self.network.label!r} gives outputs that are not finite: the model "
                "has diverged. Train it again"
            )
        return int(np.count_nonzero(outputs[:, -1].argmax(axis=-1) == self.classes[part]))

    def neurons(self, m_f: Mapping[str, float]) -> dict[str, AdaptiveSpikingRate]:
        """Return the neurons of each layer at its precision."""
        return {
            name: like(type(own), own, m_f=m_f[name], theta_0=m_f[name] * self.scales[name])
            if own.graded
            else own.at_precision(m_f[name])
            for name, own in self.own.items()
        }

    def run(self, m_f: dict[str, float]) -> CalibrationTrial:
        """Run all images in spikes; their classes are those at the end."""
        for name, neurons in self.neurons(m_f).items():
            self.network.layers[name].neuron_type = neurons
        desc = f"m_f from {min(m_f.values()):g} to {max(m_f.values()):g}"
        right, spikes, n_items = 0, 0, len(self.x)
        for part, seen, at_end in shown(self.network, self.x, self.n_steps, desc):
            spikes += sum(int(np.count_nonzero(seen[probe])) for probe in self.probes)
            right += self._right(seen[self.network.output], part) if at_end else 0
        seconds = n_items * size(self.network) * self.n_steps * DT
        self.done.append(CalibrationTrial(m_f, right / n_items, spikes / seconds, spikes / n_items))
        return self.done[-1]

    def keeps(self, trial: CalibrationTrial, tolerance: float) -> bool:
        """Return whether a trial loses no more of the accuracy than it may."""
        return self.analog - trial.accuracy <= tolerance + 1e-9  # rounding

    def coarsest(self, precisions: Sequence[float], tolerance: float) -> CalibrationTrial:
        """Return the trial of the coarsest precision, the same for all layers, that is enough.

        Raises
        ------
        nengo.exceptions.SimulationError
            If none is.
        """
        for m_f in precisions:
            trial = self.run(dict.fromkeys(self.own, m_f))
            if self.keeps(trial, tolerance):
                return trial
        raise SimulationError(
            f"no precision of {self.network.label!r} keeps its accuracy of {self.analog:.4g} to "
            f"within {tolerance:g}: the finest, m_f = {precisions[-1]:g}, reaches "
            f"{trial.accuracy:.4g} in {self.n_steps} steps. Give a larger tolerance, finer "
            "precisions, or more n_steps"
        )

    def coarser_by_layer(
        self, best: CalibrationTrial, precisions: Sequence[float], tolerance: float
    ) -> CalibrationTrial:
        """Return the best trial found by making one layer after another coarser, largest first."""
        for name in sorted(self.own, key=lambda name: -self.network.layers[name].n_neurons):
            for m_f in [x for x in reversed(precisions) if x > best.m_f[name]]:
                trial = self.run({**best.m_f, name: m_f})
                if not self.keeps(trial, tolerance) or trial.spikes >= best.spikes:
                    break
                best = trial
        return best


def size(network):
    """Return how many neurons a network's layers have."""
    return sum(ensemble.n_neurons for ensemble in network.layers.values())


def shown(network, x, n_steps, desc):
    """Run images in parts that fit into memory, of few images or of few steps.

    Yields
    ------
    slice, dict, bool
        Which images these are, what the probes have seen in these steps, and whether the steps are
        the last of these images.
    """
    from nengo_phasor import layerwise

    tqdm = compat.require("tqdm").tqdm
    n_images = max(1, min(IMAGES, AT_ONCE // (size(network) * min(n_steps, 50))))
    block = max(1, AT_ONCE // (size(network) * n_images))
    with layerwise.Simulator(network, dt=DT, dtype="float32", progress_bar=False) as sim:
        bar = tqdm(range(0, len(x), n_images), desc=desc, unit=f"{n_images} images", disable=None)
        for start in bar:
            part, state = slice(start, start + n_images), None
            for step in range(0, n_steps, block):
                data = {network.input: x[part, None]}
                seen, state = sim.advance(data, min(block, n_steps - step), state)
                yield part, seen, step + block >= n_steps
