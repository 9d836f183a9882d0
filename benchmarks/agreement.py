"""Compare the spikes of all substrates: the local-rhythms classifier on the same images.

    python benchmarks/agreement.py --output results/agreement.json

It runs in nengo (the reference), NengoDL and layerwise, in single and double precision, without and
with sparsifiers, and the spikes of the hidden and the output layer are compared.
"""

from __future__ import annotations

from pathlib import Path

import click
import nengo
import numpy as np
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import convert, datasets, metrics, results
from nengo_phasor.models.rhythms import network

N_STEPS = round(network.CYCLES / (network.FREQUENCY * network.DT))

VARIANTS = {
    "dense": (None, False),
    "arc": (nengo_phasor.ArcSparsifier(0.1), False),
    "arc, assumed reference": (nengo_phasor.ArcSparsifier(0.1), True),
    "field, assumed reference": (nengo_phasor.FieldSparsifier(0.1), True),
}
"""Random sparsification is not compared, since each item of a batch has its own random numbers."""


def run_nengo(twin, node, probes, x):
    """Return each probe's spikes, image by image, step by step."""
    image = [0]
    node.output = lambda t: x[image[0]]
    spikes = []
    with nengo.Simulator(twin, progress_bar=False) as sim:
        for image[0] in tqdm(range(len(x)), desc="nengo", unit="image"):
            sim.reset(seed=0)
            sim.run_steps(N_STEPS, progress_bar=False)
            spikes.append([sim.data[p].copy() for p in probes])
    node.output = np.zeros(node.size_out)
    return [np.array(layer) for layer in zip(*spikes, strict=True)]


def run_nengo_dl(twin, node, probes, x, dtype):
    """Return each probe's spikes, all images in one batch."""
    import nengo_dl

    with twin:
        nengo_dl.configure_settings(dtype=dtype, stateful=False)
    with nengo_dl.Simulator(twin, minibatch_size=len(x), progress_bar=False) as sim:
        seen = sim.predict({node: np.repeat(x[:, None].astype(dtype), N_STEPS, axis=1)})
    return [seen[p] for p in probes]


def run_layerwise(twin, node, probes, x, dtype):
    """Return each probe's spikes, layer by layer."""
    with nengo_phasor.layerwise.Simulator(twin, dtype=dtype, progress_bar=False) as sim:
        seen = sim.predict({node: x[:, None]}, N_STEPS)
    return [seen[p] for p in probes]


SUBSTRATES = {"nengo_dl": run_nengo_dl, "layerwise": run_layerwise}


def compare(params: dict, x: np.ndarray) -> list[dict]:
    """Return a row of the table for each variant, substrate, precision and layer."""
    rows = []
    for variant, (sparsifier, assume_reference) in VARIANTS.items():
        net = network.phase_network(params)
        neurons = nengo_phasor.ResonateAndFire(network.FREQUENCY)
        twin, new = convert.to_spiking(net, neurons, sparsifier, assume_reference)
        node, probes = new[net.input], [new[net.hidden], new[net.output]]
        reference = run_nengo(twin, node, probes, x)
        for substrate, run in SUBSTRATES.items():
            for dtype in ("float64", "float32"):
                for layer, a, b in zip(
                    ("hidden", "output"), reference, run(twin, node, probes, x, dtype), strict=True
                ):
                    rows.append(
                        {
                            "variant": variant,
                            "substrate": substrate,
                            "dtype": dtype,
                            "layer": layer,
                            "spikes": int(np.count_nonzero(a)),
                            "same_step": metrics.spike_agreement(a, b),
                            "within_one_step": metrics.spike_agreement(a, b, within=1),
                        }
                    )
                    click.echo(rows[-1])
    return rows


@click.command(help=__doc__)
@click.option("--output", default="results/agreement.json", type=Path, show_default=True)
@click.option("--data", type=click.Path(), help="Folder with FashionMNIST.")
@click.option("--images", default=100, show_default=True)
def main(output, data, images):
    """Compare, and write the table."""
    params = datasets.load_params(network.PARAMS)
    images = datasets.fashion_mnist(data).x_test[:images]
    x = network.encode(images, int(params["seed"]), float(params["spread"])).astype(float)
    rows = compare(params, x)
    claims = [
        results.Claim(
            f"spikes in the same step as in nengo, worst case, {dtype}"
            if exact
            else f"spikes within one step of nengo's, worst case, {dtype}",
            min(row["same_step" if exact else "within_one_step"] for row in chosen),
            "",
            bound,
        )
        for dtype, exact, bound in (("float64", True, ">= 1.0"), ("float32", False, ">= 0.999"))
        for chosen in [[row for row in rows if row["dtype"] == dtype]]
    ]
    settings = {"images": len(x), "steps": N_STEPS, "params": network.PARAMS.name}
    results.write(output, results.report(settings, [int(params["seed"])], {"table": rows}, claims))


if __name__ == "__main__":
    main()
