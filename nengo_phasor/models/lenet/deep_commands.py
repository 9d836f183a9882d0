"""Training a deep network with a cost of spikes: six convolutions, four steps, its analog twin.

A network of six convolutions is trained as its twin without spikes first, at last with outputs of
as many levels as there are steps, then in spikes through time, with the number of its spikes in the
loss. This is the step that Allred et al. (2020) announce: larger and deeper architectures.

    \b
    python networks/sparse_deep.py train               one run, with checkpoints
    python networks/sparse_deep.py results --resume    the search and the committed figures

The search runs on this machine or on any Dask cluster, given by its address. The workers must see
the same folders and have nengo_phasor installed.
"""

from __future__ import annotations

from nengo_phasor.models.lenet.command_line import Defaults, command_line
from nengo_phasor.models.lenet.deep_claims import claims

main = command_line(
    __doc__, "vgg", Defaults("sparse_deep", 4, 4, ["linear"], ["linear"], 32, 8), claims
)
