"""Results that take hours, apart from the daily pipeline: a DVC project of its own, `cd studies && dvc repro published`."""
