"""What `.to_adaptive` knows about single Keras layers, of Keras 2 and of Keras 3.

Layers are recognised by the names of their classes, so that this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nengo.exceptions import BuildError

HOMES = ("keras", "tf_keras", "nengo_phasor")
"""The packages whose layers are known; a layer of the same name elsewhere may differ."""

ABSENT = {
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout2D",
}
"""Layers that act only in training."""

ACTIVATED = {"Activation", "Conv2D", "Dense", "DepthwiseConv2D", "SeparableConv2D"}
"""Layers whose activation may be one of neurons, which becomes a step of their name."""

NEURONS = {"HalfSigmoid", "Rectifier"}
"""The kinds of steps that become neurons. Both are monotonic."""

MAX_POOLS = {"MaxPooling2D", "GlobalMaxPooling2D"}

LINEAR = (ACTIVATED - {"Activation"}) | {
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Cropping2D",
    "Flatten",
    "GlobalAveragePooling2D",
    "InputLayer",
    "Normalization",
    "Permute",
    "Rescaling",
    "Reshape",
    "UpSampling2D",
    "ZeroPadding2D",
}

KNOWN = NEURONS | MAX_POOLS | LINEAR

USE_NEURONS = "use ReLU, LeakyReLU, or a nengo_phasor.dl.activations.HalfSigmoid layer instead"
USE_ADD = "write it as the layers Add, Conv2D, Dense, ReLU, Rescaling or BatchNormalization"
ADVICE = {
    "Activation": USE_NEURONS,
    "ELU": USE_NEURONS,
    "PReLU": USE_NEURONS,
    "Softmax": "softmax can only be the last layer",
    "Concatenate": "add the branches with Add, after a separate Conv2D or Dense for each",
    "Lambda": USE_ADD,
    "TFOpLambda": USE_ADD,
}


@dataclass(frozen=True)
class Rectifier:
    """A rectified line: max(0, x), with a slope below 0 and a highest value if they are given."""

    name: str
    below: float = 0.0
    most: float | None = None

    @property
    def lines(self) -> list[tuple[float, float, float]]:
        """Weights w, signs s and offsets o: it is the sum of w max(0, s x + o)."""
        lines = [(1.0, 1.0, 0.0)]
        if self.most is not None:
            lines.append((-1.0, 1.0, -self.most))
        if self.below:
            lines.append((-self.below, -1.0, 0.0))
        return lines


RECTIFIERS = {
    "ReLU": lambda layer: (layer.negative_slope, layer.max_value, layer.threshold),
    "LeakyReLU": lambda layer: (_slope(layer), None, 0.0),
    "relu": lambda function: (0.0, None, 0.0),
    "relu6": lambda function: (0.0, 6.0, 0.0),
    "leaky_relu": lambda function: (0.2, None, 0.0),
}
"""The slope below 0, the highest value and the threshold of layers and functions that rectify."""


def _slope(layer):
    """Return a leaky rectifier's slope, by its name in Keras 2 or 3."""
    return layer.alpha if hasattr(layer, "alpha") else layer.negative_slope


def neurons_of(layer: Any, name: str) -> Any:
    """Return the step of neurons, of the given name, that a layer or its activation is.

    Returns
    -------
    HalfSigmoid, Rectifier or None
    """
    if _home(layer) not in HOMES:
        return None
    activated = type(layer).__name__ in ACTIVATED
    for unit in (layer, *([layer.activation] if activated else [])):
        kind, home = _name(unit), _home(unit)
        if kind == "HalfSigmoid":
            return unit
        if kind in RECTIFIERS and home in (*HOMES, "tensorflow"):
            return _rectifier(layer, name, *RECTIFIERS[kind](unit))
    return None


def _rectifier(layer, name, below, most, threshold):
    if threshold:
        why = f"it jumps at its threshold of {threshold:g}, which no sum of rectified lines does"
        refuse(layer, why, "use threshold=0")
    if below < 0:
        refuse(layer, f"its slope below 0 is {below:g}, so it is not monotonic", "use one >= 0")
    return Rectifier(name, float(below), None if most is None else float(most))


def refuse(layer: Any, why: str, remedy: str) -> None:
    """Raise the error for a layer that can't be converted."""
    raise BuildError(f"layer {layer.name!r} ({type(layer).__name__}): {why}; {remedy}")


def check(layer: Any) -> None:
    """Refuse a layer that is not known, or has an option that can't be converted."""
    kind, home = type(layer).__name__, type(layer).__module__.split(".")
    if "ops" in home:
        refuse(layer, "operations on tensors can't be converted", USE_ADD)
    if kind not in KNOWN or home[0] not in HOMES:
        known = f"supported layers are {', '.join(sorted((KNOWN | ABSENT) - {'Rectifier'}))}"
        refuse(layer, "such layers can't be converted", ADVICE.get(kind, known))
    if activation(layer) not in (None, "linear"):
        remedy = f"give it activation=None and {USE_NEURONS}"
        refuse(layer, f"it has the activation {activation(layer)!r}", remedy)
    if getattr(layer, "data_format", None) == "channels_first":
        refuse(layer, "its channels come first", "use data_format='channels_last'")
    if max(getattr(layer, "dilation_rate", (1,))) > 1:
        refuse(layer, f"its kernel is dilated by {layer.dilation_rate}", "use dilation_rate=1")
    if getattr(layer, "interpolation", "nearest") != "nearest":
        refuse(layer, f"it interpolates by {layer.interpolation!r}", "use interpolation='nearest'")


def activation(layer: Any) -> str | None:
    """Return the name of the activation function of a layer, if it has one."""
    function = getattr(layer, "activation", None)
    return function and _name(function)


def _home(unit):
    """Return the package of a function, or of an object's class."""
    return (getattr(unit, "__module__", None) or "").partition(".")[0]


def _name(unit):
    """Return the name of a function, or of an object's class."""
    return getattr(unit, "__name__", type(unit).__name__)


def is_absent(layer: Any) -> bool:
    """Return whether a layer does nothing once training is over."""
    return type(layer).__name__ in ABSENT or _is_activation(layer, "linear")


def is_softmax(layer: Any) -> bool:
    """Return whether a layer is a softmax and nothing else."""
    return type(layer).__name__ == "Softmax" or _is_activation(layer, "softmax")


def _is_activation(layer, name):
    return type(layer).__name__ == "Activation" and activation(layer) == name


def like_layer(layer: Any, input_shape: tuple, **changes: Any) -> Any:
    """Return a copy of a Keras layer with its weights and the given changes, built for an input."""
    copy = type(layer).from_config({**layer.get_config(), **changes})
    copy.build(input_shape)
    copy.set_weights(layer.get_weights())
    if hasattr(copy, "finalize_state"):  # what the weights of a Normalization have to pass
        copy.finalize_state()
    return copy
