"""The Processing algorithms: one tool a file, file name = algorithm id."""
