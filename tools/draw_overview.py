"""Draw docs/figures/overview.png: one garment in the committed network.

The curves are those of results/local_rhythms.json.
"""

import json
from pathlib import Path

from matplotlib.figure import Figure

from nengo_phasor import datasets, plots
from nengo_phasor.models.rhythms import pictures
from nengo_phasor.models.rhythms.cost import nearest
from nengo_phasor.models.rhythms.network import PARAMS
from nengo_phasor.models.rhythms.report import NAMES

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 9
"""The class of the garment."""


def overview() -> Figure:
    """Return the picture: the garment, its phases, its spikes, and the accuracies."""
    scores = json.loads((ROOT / "results" / "local_rhythms.json").read_text())["figures"]["long"][0]
    params = datasets.load_params(PARAMS)
    seen = pictures.look(params, params["images"][SHOWN, None])
    curves = scores["curves"]["reference"]

    figure = Figure(figsize=(10.5, 2.9), layout="constrained")
    garment, circle, raster, accuracy = figure.subfigures(1, 4, width_ratios=(0.7, 1, 1.3, 1.3))
    pictures.draw_image(garment, seen.images[0])
    garment.suptitle("an image")
    pictures.draw_circle(circle, seen.hidden[0])
    circle.suptitle("becomes phases,")
    point = nearest(curves["arc"])
    pictures.draw_raster(raster.add_subplot(), seen.spikes[0], "arc", point["strength"])
    raster.suptitle(f"phases are spikes; {point['removed']:.0%} can go,")
    series = {
        NAMES[name]: ([p["removed"] for p in curve], [p["accuracy"] for p in curve])
        for name, curve in curves.items()
    }
    plots.accuracy_against_removed(series, accuracy.add_subplot(), scores["spiking_accuracy"])
    accuracy.suptitle("and the network still answers")
    return figure


if __name__ == "__main__":
    overview().savefig(ROOT / "docs" / "figures" / "overview.png", dpi=136)
