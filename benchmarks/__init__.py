"""Benchmarks that compare two things in one run. `python -m benchmarks.run` runs them all; results/ holds what was seen."""
