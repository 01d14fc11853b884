"""Draw every published system's published and reproduced accuracy.

Reads:  studies/results/published/*.json
Writes: studies/results/published.png
Run:    python -m studies.picture
"""

from mnist.core.errors import run
from mnist.core.files import read_json
from mnist.data.figures import save
from studies.figures import published_and_reproduced
from studies.paths import RESULTS


def main() -> None:
    """Draw the systems by name."""
    results = {path.stem: read_json(path) for path in sorted((RESULTS / "published").glob("*.json"))}
    save(published_and_reproduced(results), RESULTS / "published.png")


if __name__ == "__main__":
    run(main)
