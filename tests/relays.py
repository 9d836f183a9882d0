"""Simulations of spikes that are given, behind a synapse."""

import nengo

DT = 0.001


def simulate(series, synapse, seed=0, n_layers=1, **kwargs):
    """The probed relays behind as many synapses, one for each layer, that get the same series."""
    with nengo.Network(seed=seed) as net:
        node = nengo.Node(nengo.processes.PresentInput(series, DT))
        probes = []
        for _ in range(n_layers):
            relay = nengo.Node(size_in=series.shape[1])
            nengo.Connection(node, relay, synapse=synapse)
            probes.append(nengo.Probe(relay))
    with nengo.Simulator(net, progress_bar=False, **kwargs) as sim:
        sim.run_steps(len(series))
    return [sim.data[probe] for probe in probes]
