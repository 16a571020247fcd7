"""Learning without geography files: networks, baselines, training, prediction, the model file."""
