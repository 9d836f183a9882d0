"""Conversions between kinds of networks."""

from nengo_phasor.convert.adaptive import Converted, to_adaptive
from nengo_phasor.convert.calibration import Calibration, CalibrationTrial
from nengo_phasor.convert.deepening import deepen
from nengo_phasor.convert.factorize import factorize
from nengo_phasor.convert.spiking import to_spiking

__all__ = [
    "Calibration",
    "CalibrationTrial",
    "Converted",
    "deepen",
    "factorize",
    "to_adaptive",
    "to_spiking",
]


def __dir__():
    return __all__
