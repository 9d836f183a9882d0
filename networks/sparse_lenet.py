"""Training that pays for spikes: the paper's LeNet, its five schedules and its two tables.

A spiking LeNet learns CIFAR-10 or FashionMNIST through time, with the number of its spikes in the
loss. How much a spike costs is searched for on validation images, for each schedule (Allred et al.
2020).

    \b
    python networks/sparse_lenet.py train               one run, with checkpoints
    python networks/sparse_lenet.py results --resume    the search and the committed figures
    nengo networks/sparse_lenet.py                      Nengo GUI, from committed weights

The search runs on this machine, or on any dask cluster by its address: its workers must see the
same folders, and find this one's modules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import nengo
import numpy as np
from sparse_training import (
    CONTRAST,
    DT,
    SCHEDULES,
    TAU,
    Parts,
    Run,
    finished,
    lenet,
    load,
    measure,
    train,
    work,
)
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import compat, datasets, displays, results
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands, Seeds
from nengo_phasor.models.shared.run_folder import open_run

SETS = ("cifar10", "fashion_mnist")
SIGMAS = {
    "cifar10": {
        "constant": (4e-4,),
        "linear": (1e-3,),
        "quadratic": (6e-5,),
        "alternating": (1e-3,),
        "alternating linear": (1.5e-3,),
    },
    "fashion_mnist": {
        "constant": (2e-4,),
        "linear": (8e-4,),
        "quadratic": (5e-5,),
        "alternating": (5e-4,),
        "alternating linear": (1e-3,),
    },
}
"""Of each data set and schedule, the sigma_0 that are tried."""

REPEATED = ("constant", "linear")
"""The schedules that are searched with every seed; the others, with the first one only."""

TABLES = {"table 1": 0.0, "table 2": 0.0099}
"""By how much the validation accuracy may be lower than the baseline's, in the paper's tables.

The second is less than a point whatever the number of images, with room for rounding.
"""

PROMISED = {
    "table 1": ("no validation accuracy lost", ">= 0.70", "70.1 %, Table 1"),
    "table 2": ("less than 1 point of it lost", ">= 0.75", "73.3 %, abstract"),
}
BASELINE = "baseline"
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
"""For processes that share a machine: two of one thread do more than one of two."""

PARAMS = Path(nengo_phasor.__file__).parent / "models" / "params" / "sparse_lenet.npz"


# --------------------------------------------------------------------------------------- search


def search(
    runs: Sequence[Run], folder: Path, data: str | None, address: str | None, workers: int
) -> dict[Run, list[dict]]:
    """Do all runs in dask's processes; return their histories.

    Runs that the folder has finished are not done again, and others go on from their last epoch:
    kill the search at any time.
    """
    todo = [run for run in runs if finished(folder / run.name) is None]
    if todo:
        distribute(todo, folder, data, address, workers)
    return {run: finished(folder / run.name) for run in runs}


def distribute(
    runs: Sequence[Run], folder: Path, data: str | None, address: str | None, workers: int
) -> None:
    """Do the runs in dask's processes, as many at a time as there are; show how many are done."""
    dask = compat.require("dask.distributed")
    cluster = address or dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=None,
        memory_limit=0,
        env=ONE_THREAD,
    )
    with dask.Client(cluster) as client:
        futures = [
            client.submit(work, run, str(folder.resolve()), data, pure=False) for run in runs
        ]
        for future in tqdm(dask.as_completed(futures), total=len(runs), desc="runs", unit="run"):
            future.result()
    if not address:
        cluster.close()


def points(histories: Mapping[Run, list[dict]]) -> list[dict[str, Any]]:
    """Return every epoch of every run: what the search chooses from."""
    return [
        {"run": run, "epoch": k + 1, **epoch}
        for run, history in histories.items()
        for k, epoch in enumerate(history)
    ]


def fewest_spikes(found: Iterable[dict[str, Any]], accuracy: float) -> dict[str, Any]:
    """Return the point with the fewest spikes of those that are this accurate on validation.

    If none is, the most accurate.
    """
    found = list(found)
    good = [point for point in found if point["accuracy"] >= accuracy]
    if good:
        return min(good, key=lambda point: point["spikes"])
    return max(found, key=lambda point: point["accuracy"])


def name_of(run: Run) -> str:
    """Return the name of a run's loss in the tables."""
    return run.schedule if run.sigma_0 else BASELINE


def chosen(found: list[dict[str, Any]], allowance: float) -> dict[str, dict[str, Any]]:
    """Return the point of each loss with the fewest spikes, for what accuracy may be lost.

    ``found`` are the `points` of one seed.
    """
    by_name: dict[str, list] = {}
    for point in found:
        by_name.setdefault(name_of(point["run"]), []).append(point)
    least = least_accuracy(found, allowance)
    return {name: fewest_spikes(some, least) for name, some in by_name.items()}


def best_loss(found: list[dict[str, Any]], allowance: float) -> str:
    """Return the loss, but for the baseline, with the fewest spikes of those accurate enough.

    If none is, the one with the fewest spikes.
    """
    picked, least = chosen(found, allowance), least_accuracy(found, allowance)
    del picked[BASELINE]
    good = {name for name, point in picked.items() if point["accuracy"] >= least}
    return min(good or picked, key=lambda name: picked[name]["spikes"])


def least_accuracy(found: list[dict[str, Any]], allowance: float) -> float:
    """Return the validation accuracy that is enough: the baseline's best, less what may be lost."""
    accuracies = [point["accuracy"] for point in found if name_of(point["run"]) == BASELINE]
    return max(accuracies) - allowance


def tested(point: dict[str, Any], parts: Parts, folder: Path) -> dict[str, Any]:
    """Return a table's row: the point, and the same network measured on the test set."""
    run, epoch = point["run"], point["epoch"]
    kept = folder / run.name / f"test-{epoch}-{len(parts.x_test)}.json"
    if not kept.exists():
        weights = datasets.load_params(folder / run.name / f"weights-{epoch}.npz")
        shape = parts.x_test.shape[1:]
        results.write(kept, measure(shape, weights, parts.x_test, parts.y_test, run.steps))
    return {
        "sigma_0": run.sigma_0,
        "epoch": epoch,
        "seed": run.seed,
        "validation_accuracy": point["accuracy"],
        "validation_spikes": point["spikes"],
        **json.loads(kept.read_text()),
    }


def table(
    found: list[dict[str, Any]], allowance: float, parts: Parts, folder: Path
) -> dict[str, dict[str, Any]]:
    """Return one of the paper's tables: a row for each loss, for one seed."""
    rows = {name: tested(point, parts, folder) for name, point in chosen(found, allowance).items()}
    least = least_accuracy(found, allowance)
    for row in rows.values():
        row["accurate_enough"] = row["validation_accuracy"] >= least
        row["fewer_spikes"] = 1 - row["spikes"] / rows[BASELINE]["spikes"]
        row["accuracy_lost"] = rows[BASELINE]["accuracy"] - row["accuracy"]
    return rows


def grid(base: Run, schedules: Sequence[str], factors: Sequence[float]) -> list[Run]:
    """Return the baseline and the runs that are tried of each schedule."""
    return [base] + [
        replace(base, schedule=schedule, sigma_0=float(f"{sigma_0 * factor:.3g}"))
        for schedule in schedules
        for sigma_0 in SIGMAS[base.data][schedule]
        for factor in factors
    ]


def experiment(
    runs: Sequence[Run],
    repeated: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    data,
    images,
    address,
    workers,
    resume,
) -> dict[str, Any]:
    """Search among runs, the first of which is the baseline; return the figures.

    They have the first of the seeds; with each of the others, the baseline and the ``repeated``
    schedules are searched again. Schedule, sigma_0 and epoch are chosen on validation images by
    what that seed has found. ``images`` of the test set are shown, all if it is None.
    """
    first = runs[0]
    parts = load(first.data, data, first.images)
    parts = parts._replace(x_test=parts.x_test[:images], y_test=parts.y_test[:images])
    again = [run for run in runs if name_of(run) in {BASELINE, *repeated}]
    tried = {seed: [replace(run, seed=seed) for run in again] for seed in seeds}
    tried[first.seed] = list(runs)
    wanted = [run for same_seed in tried.values() for run in same_seed]
    for run in wanted:
        open_run(folder / run.name, asdict(run), resume)
    histories = search(wanted, folder, data, address, workers)
    found = {
        seed: points({run: histories[run] for run in same_seed})
        for seed, same_seed in tried.items()
    }
    tables: dict[str, list] = {name: [] for name in TABLES}
    pairs = [(name, seed) for name in TABLES for seed in seeds]
    for name, seed in tqdm(pairs, desc="tables", unit="table"):
        tables[name].append(table(found[seed], TABLES[name], parts, folder))
    return {
        "tables": tables,
        "best": {
            name: [best_loss(found[seed], allowance) for seed in seeds]
            for name, allowance in TABLES.items()
        },
        "histories": {
            run.name: {
                "loss": name_of(run),
                "sigma_0": run.sigma_0,
                "seed": run.seed,
                "epochs": history,
            }
            for run, history in histories.items()
        },
        "test_images": len(parts.x_test),
    }


def saved(row: Mapping[str, Any]) -> float:
    """Return the part of the spikes that a row saves: nothing if it is not accurate enough."""
    return row["fewer_spikes"] * row["accurate_enough"]


def claims(found: Mapping[str, Any], title: str) -> list[results.Claim]:
    """Return what was promised of one data set, in the mean of the seeds.

    First of each seed's best schedule, then of the one that is best for all of them.
    """
    made = []
    for name, (words, bound, paper) in PROMISED.items():
        tables = found["tables"][name]
        each = [rows[best] for rows, best in zip(tables, found["best"][name], strict=True)]
        common = set.intersection(*(set(rows) for rows in tables)) - {BASELINE}
        means = {loss: np.mean([saved(rows[loss]) for rows in tables]) for loss in sorted(common)}
        best = max(means, key=means.get)
        what = f"{title}: part of the spikes saved on the test set, {words}, mean of seeds"
        made += [
            results.Claim(
                f"{what}, each one's best schedule",
                float(np.mean([saved(row) for row in each])),
                "",
                bound,
                paper,
            ),
            results.Claim(f"{what}, all {best}", float(means[best]), "", bound, paper),
        ]
    return made


def gui_model() -> nengo.Network:
    """Return the network with committed weights, shown a new image five times a second.

    Unlike in training, an image follows on the last one, and is shown for longer: the class is that
    of filtered logits.
    """
    params = datasets.load_params(PARAMS)
    images, names = params.pop("images"), params.pop("classes")
    weights = {name: values.astype(np.float32) for name, values in params.items()}
    net = lenet(images.shape[1:], weights)
    net.image.output = nengo.processes.PresentInput(images.reshape(len(images), -1), 0.2)
    net.layers = {name: probe.target for name, probe in net.spikes.items()}
    net.last, net.sums = net.layers["dense2"].ensemble, net.logits.target
    net.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
    with net:
        pixels = images[..., :-1]  # the last channel is for biases
        shape = images.shape[1:3] + (() if pixels.shape[-1] == 1 else pixels.shape[-1:])
        net.shown = displays.image(shape, pixels.min(), pixels.max(), label="what is shown")
        net.decision = displays.classes(names, 0, 10, label="class")
        net.count = nengo.Node(size_in=len(net.layers), label="spikes in a step, by layer")
        places = np.arange(net.image.size_out).reshape(images.shape[1:])[..., :-1]
        nengo.Connection(net.image[places.ravel().tolist()], net.shown, synapse=None)
        nengo.Connection(net.sums, net.decision, synapse=0.03)
        for k, layer in enumerate(net.layers.values()):
            each = np.full((1, layer.size_out), DT / TAU)
            nengo.Connection(layer, net.count[k], transform=each, synapse=None)
    return net


# --------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the paper's experiment."""


def options(command):
    """Add the options that the commands share."""
    for option in (
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option(
            "--images",
            default=5_000,
            type=click.IntRange(100),
            show_default=True,
            help="Training images used.",
        ),
        click.option(
            "--steps", default=16, type=COUNT, show_default=True, help="Time steps an image."
        ),
        click.option("--epochs", default=24, type=COUNT, show_default=True, help="Of a run."),
        click.option("--runs", default="runs/sparse_lenet", type=Path, show_default=True),
        click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped."),
    ):
        command = option(command)
    return command


@main.command("train")
@click.option("--set", "name", default=SETS[0], type=click.Choice(SETS), show_default=True)
@click.option("--schedule", default="constant", type=click.Choice(SCHEDULES), show_default=True)
@click.option("--sigma", "sigma_0", default=0.0, show_default=True, help="sigma_0")
@click.option("--seed", default=0, type=SEED, show_default=True)
@options
def train_one(name, schedule, sigma_0, seed, data, images, steps, epochs, runs, resume):
    """Train one network; print its accuracy and spikes on validation images after each epoch."""
    run = Run(name, images, steps, epochs, schedule, sigma_0, seed)
    open_run(runs / run.name, asdict(run), resume)
    for k, epoch in enumerate(train(run, load(name, data, images), runs / run.name)):
        click.echo(f"{k + 1:3d}  {epoch['accuracy']:.2%}  {epoch['spikes']:9.1f} spikes")


@main.command("results")
@click.option(
    "--set", "names", multiple=True, default=SETS, type=click.Choice(SETS), show_default=True
)
@click.option(
    "--seeds",
    default="0,1,2",
    type=Seeds(),
    show_default=True,
    help="The first one is searched with all schedules.",
)
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    default=list(SCHEDULES),
    type=click.Choice(SCHEDULES),
    show_default=True,
)
@click.option(
    "--repeat",
    multiple=True,
    default=REPEATED,
    type=click.Choice(SCHEDULES),
    show_default=True,
    help="Schedules to search with the other seeds, too.",
)
@click.option("--factors", default="1", show_default=True, help="Multiply each sigma_0 by these.")
@click.option("--test-images", type=COUNT, help="Show only so many test images.")
@click.option("--cluster", help="Address of a dask scheduler; by default on this machine.")
@click.option(
    "--workers", default=2, type=COUNT, show_default=True, help="Processes on this machine."
)
@click.option("--output", default="results/sparse_lenet.json", type=Path, show_default=True)
@options
def make_results(
    names,
    seeds,
    schedules,
    repeat,
    factors,
    test_images,
    cluster,
    workers,
    output,
    data,
    images,
    steps,
    epochs,
    runs,
    resume,
):
    """Search, make the tables, draw; write the figures that are quoted, beside the promises."""
    import sparse_lenet_report as report

    factors = [float(factor) for factor in factors.split(",")]
    found, made = {}, []
    grids = {
        name: grid(Run(name, images, steps, epochs, seed=seeds[0]), schedules, factors)
        for name in names
    }
    for name, tried in grids.items():
        found[name] = experiment(
            tried,
            repeat,
            seeds,
            runs,
            data,
            test_images,
            cluster,
            workers,
            resume,
        )
        made += claims(found[name], name)
        click.echo(f"Look at {report.write(found[name], name, runs / f'{name}-report')}")
    settings = {
        "training_images": images,
        "validation": "a fifth of them, and as many others as the rest",
        "steps": steps,
        "spikes_a_step_at_start": tried[0].rate,
        "contrast_at_start": CONTRAST,
        "epochs": epochs,
        "batch_size": tried[0].batch_size,
        "learning_rate": tried[0].learning_rate,
        "averaging": tried[0].averaging,
        "sigma_0": {
            name: [(run.schedule, run.sigma_0) for run in grids[name][1:]] for name in names
        },
        "repeated": repeat,
    }
    results.write(output, results.report(settings, seeds, found, made))
    for claim in made:
        click.echo(claim.verdict)


@main.command()
@click.option("--run", "folder", required=True, type=Path, help="A run's folder.")
@click.option("--epoch", required=True, type=COUNT)
@click.option("--data", type=click.Path(), help="Folder with the data set.")
def export(folder, epoch, data):
    """Make a run's weights those that Nengo GUI opens with, with a test image of each class."""
    settings = json.loads((folder / "settings.json").read_text())
    parts = load(settings["data"], data, settings["images"])
    first = [int(np.flatnonzero(parts.y_test == label)[0]) for label in range(10)]
    weights = datasets.load_params(folder / f"weights-{epoch}.npz")
    small = {name: values.astype(np.float16) for name, values in weights.items()}
    datasets.save_params(
        PARAMS,
        **small,
        images=parts.x_test[first].astype(np.float16),
        classes=np.array(datasets.DATASETS[settings["data"]].classes),
    )
    click.echo(f"wrote {PARAMS}")


if __name__ == "__main__":
    main()
elif PARAMS.exists():
    model = gui_model()
