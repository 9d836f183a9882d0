"""Adaptive spiking neurons: Zambrano et al. 2017, from one neuron to ResNet-18.

Data go one way. ``data``; ``stack`` and ``layers``, the analog networks; ``recipe`` and
``training``; ``spiking``, which runs them in spikes; ``precision``, ``measure``, ``claims`` and
``report``; ``runs`` does it all, and keeps what was done. A system has what is its own in modules
of its name: ``digits``, ``cifar``, ``resnet``, ``table`` (Iris and Sonar), ``neuron``.
"""
