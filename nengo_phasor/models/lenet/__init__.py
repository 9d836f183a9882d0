"""Training that pays for spikes: the paper's LeNet, its five schedules and its two tables."""
