"""Results that take hours: a DVC project of its own, apart from the daily pipeline."""
