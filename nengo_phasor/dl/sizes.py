"""A check of the size of data, with errors that are clearer than those of Keras.

Importing this module extends NengoDL's own check of data.
"""

from __future__ import annotations

from functools import wraps

import nengo_dl
from nengo.exceptions import ValidationError

from nengo_phasor.wiring import takers_of_phasors

_check_data = nengo_dl.Simulator._check_data


@wraps(_check_data)
def check_data(self, data, batch_size=None, n_steps=None, nodes=True):
    """Check the data as NengoDL does, then the number of values that each node gets in a step."""
    _check_data(self, data, batch_size, n_steps, nodes)
    if not nodes or not isinstance(data, dict):
        return
    for node in self.node_inputs:
        shape = getattr(data.get(self.get_name(node)), "shape", (node.size_out,))
        if shape[-1] != node.size_out:
            is_half = 2 * shape[-1] == node.size_out
            takes_phasors = is_half and node in takers_of_phasors(self.model.toplevel)
            remedy = ": give phasors, nengo_phasor.phases.to_rows(phases)" if takes_phasors else ""
            raise ValidationError(
                f"for {node} have shape {tuple(shape)}, but need (n_items, n_steps, "
                f"{node.size_out}){remedy}",
                attr="data",
                obj=self,
            )


nengo_dl.Simulator._check_data = check_data
