"""The data sets: their files as published, how these are read, and the names of the classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nengo_phasor.files import (
    read_batches,
    read_csv,
    read_idx_files,
    read_npz,
    read_steps_mat,
    read_steps_npz,
)
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)


VARIABLE = "NENGO_PHASOR_DATA"
"""The environment variable that names a folder with data sets."""

FETCHED = ".data"
"""The folder of a clone to which `make demo` downloads."""


@dataclass(frozen=True)
class Source:
    """Information about a data set: its published files, how to read them, and how to get them.

    ``layouts`` are pairs of file names and their reader, the published form first. ``folders`` are
    the usual names of the folder. ``first_labels`` distinguish data sets with the same file names.
    ``embedded`` data sets are files of this package.
    Keras can download those that are ``in_keras``.
    """

    title: str
    classes: tuple[str, ...]
    layouts: tuple[tuple[tuple[str, ...], Callable], ...]
    folders: tuple[str, ...] = ()
    first_labels: tuple[int, ...] = ()
    debian_package: str = ""
    embedded: bool = False
    in_keras: bool = True

    def remedy(self) -> str:
        """Return a sentence that tells how to get the data set."""
        if self.embedded:
            return f"{self.title} is part of nengo_phasor: install it again."
        names = ", ".join(self.layouts[0][0])
        ways = [f"install Debian's package {self.debian_package}"] if self.debian_package else []
        ways += [
            f"put its published files ({names}; gzip is fine) in a folder {self.folders[0]}/, and "
            f"pass its parent folder, name that {FETCHED}, or set {VARIABLE} to it",
        ]
        ways += ["let Keras download it (pip install keras tensorflow)"] * self.in_keras
        return f"To get {self.title}: {'; or '.join(ways)}."


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

DATASETS = {
    "fashion_mnist": Source(
        title="FashionMNIST",
        classes=_names(
            "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"
        ),
        folders=("fashion-mnist", "fashion_mnist"),
        layouts=((_IDX_FILES, read_idx_files),),
        first_labels=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
        debian_package="dataset-fashion-mnist",
    ),
    "mnist": Source(
        title="MNIST",
        classes=tuple("0123456789"),
        folders=("mnist",),
        layouts=((_IDX_FILES, read_idx_files), (("mnist.npz",), read_npz)),
        first_labels=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
    ),
    "cifar10": Source(
        title="CIFAR-10",
        classes=_names("airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck"),
        folders=(
            "cifar-10-batches-py",
            "cifar10",
            "cifar10/cifar-10-batches-py",
            "cifar-10-batches-py-target/cifar-10-batches-py",
        ),
        layouts=(
            (
                (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
                partial(read_batches, key="labels"),
            ),
        ),
    ),
    "cifar100": Source(
        title="CIFAR-100",
        classes=_names(
            """
            apple, aquarium_fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl,
            boy, bridge, bus, butterfly, camel, can, castle, caterpillar, cattle, chair,
            chimpanzee, clock, cloud, cockroach, couch, crab, crocodile, cup, dinosaur, dolphin,
            elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard, lamp,
            lawn_mower, leopard, lion, lizard, lobster, man, maple_tree, motorcycle, mountain,
            mouse, mushroom, oak_tree, orange, orchid, otter, palm_tree, pear, pickup_truck,
            pine_tree, plain, plate, poppy, porcupine, possum, rabbit, raccoon, ray, road,
            rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider,
            squirrel, streetcar, sunflower, sweet_pepper, table, tank, telephone, television,
            tiger, tractor, train, trout, tulip, turtle, wardrobe, whale, willow_tree, wolf,
            woman, worm
            """
        ),
        folders=(
            "cifar-100-python",
            "cifar100",
            "cifar100/cifar-100-python",
            "cifar-100-python-target/cifar-100-python",
        ),
        layouts=((("train", "test"), partial(read_batches, key="fine_labels")),),
    ),
    "qtdb": Source(
        title="ECG-QTDB",
        classes=_names("P, PQ, QR, RS, ST, TP"),
        folders=("qtdb-ecg", "qtdb"),
        layouts=(
            (("QTDB_train.mat", "QTDB_test.mat"), read_steps_mat),
            (("qtdb.npz",), read_steps_npz),
        ),
        in_keras=False,
    ),
    "iris": Source(
        title="Iris",
        classes=("setosa", "versicolor", "virginica"),
        layouts=((("iris.csv",), read_csv),),
        embedded=True,
    ),
    "sonar": Source(
        title="Sonar",
        classes=("rock", "mine"),
        layouts=((("sonar.csv",), read_csv),),
        embedded=True,
    ),
}


# --- finding -----------------------------------------------------------------------------------
