"""The simple models that a reader of the result will ask for; each has `density(columns)` like the networks."""
