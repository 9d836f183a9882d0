"""Three resonate-and-fire neurons to play with, in Nengo GUI."""
