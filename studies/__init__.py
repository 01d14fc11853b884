"""Results that take hours: a DVC project of its own, apart from the daily pipeline."""

from mnist_reader.core.errors import require

require("studies", "requirements-dev.txt", "tensorflow", "scipy", "skimage", "sklearn")
