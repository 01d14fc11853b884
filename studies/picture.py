"""Draw every published system's published and reproduced accuracy.

Reads:  studies/results/published/*.json
Writes: studies/results/published.png
Run:    python -m studies.picture
"""

import numpy as np
from matplotlib.figure import Figure

from mnist.core.errors import run
from mnist.core.files import read_json
from mnist.data.figures import INK, MISTAKE, plain, save
from studies.paths import RESULTS


def main() -> None:
    """Draw the systems by name."""
    results = {path.stem: read_json(path) for path in sorted((RESULTS / "published").glob("*.json"))}
    save(published_and_reproduced(results), RESULTS / "published.png")


@plain
def published_and_reproduced(results: dict[str, dict[str, float]]) -> Figure:
    """Published (ring) and reproduced (dot) test accuracy of each published system, one a row."""
    figure = Figure(figsize=(8, 0.42 * len(results) + 1.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    rows = range(len(results))
    published = np.array([result["published_accuracy"] for result in results.values()], float)  # NaN where not known
    axes.scatter(published, rows, s=90, facecolors="none", edgecolors=INK, label="published")
    axes.scatter([result["accuracy"] for result in results.values()], rows, s=28, color=MISTAKE, label="reproduced")
    axes.set(xlabel="test accuracy", yticks=rows, yticklabels=results)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    return figure


if __name__ == "__main__":
    run(main)
