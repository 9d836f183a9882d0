"""Adaptive spiking neurons: Zambrano et al. 2017, from one neuron to ResNet-18.

Data flow one way: ``data``; ``stack`` and ``layers``, the analog networks; ``recipe`` and
``training``; ``spiking``, which runs spiking networks; ``precision``, ``measure``, ``claims`` and
``report``; ``runs`` does it all, and keeps the results. Modules that belong to one system bear
its name: ``digits``, ``cifar``, ``resnet``, ``table`` (Iris and Sonar), ``neuron``.
"""
