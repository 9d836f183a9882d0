"""Training with a cost of spikes: the paper's LeNet, its five schedules and its two tables."""
