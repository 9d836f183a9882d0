"""Arousal: precise coding for only those inputs, or only that place in an image, that need it.

`Arousal` continues inputs that are hard to classify at high precision (Zambrano et al. 2017,
"Arousal"). `Focus` does so at one place of each image, as the paper's outlook says.
"""

from nengo_phasor.arousal.focus import Focus
from nengo_phasor.arousal.uncertainty import Arousal, Aroused, classify

__all__ = ["Arousal", "Aroused", "Focus", "classify"]


def __dir__():
    return __all__
