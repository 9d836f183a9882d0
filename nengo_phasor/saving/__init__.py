"""Networks in files of arrays and JSON, without pickle."""

from nengo_phasor.saving.network_file import load, save

__all__ = ["load", "save"]


def __dir__():
    return __all__
