"""Training with a cost of spikes: the paper's LeNet, its five schedules and its two tables.

A spiking LeNet learns CIFAR-10 or FashionMNIST through time, with the number of its spikes in the
loss. For each schedule, the cost of a spike is searched for on validation images (Allred et al.
2020).

    \b
    python networks/sparse_lenet.py train               one run, with checkpoints
    python networks/sparse_lenet.py results --resume    the search and the committed figures
    nengo networks/sparse_lenet.py                      Nengo GUI, from committed weights

The search runs on this machine or on any Dask cluster, given by its address. The workers must see
the same folders and have nengo_phasor installed.
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("sparse_lenet")
else:
    model, on_start = models.opened("sparse_lenet")
