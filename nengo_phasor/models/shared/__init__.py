"""What the rooms share: run folders, commands, helpers of Nengo GUI."""
