"""Picture of every baseline's published and reproduced accuracy.

Reads:  metrics/baselines/*.json; params `baselines`
Writes: metrics/plots/baselines.png
Run:    python -m baselines.compare    (`dvc repro baselines/dvc.yaml` does)
"""

from mnist import figures
from mnist.core.errors import run_stage
from mnist.core.files import read_json
from mnist.core.params import load_params
from mnist.core.paths import METRICS, PLOTS


def main() -> None:
    """Draw the baselines in the order of params.yaml."""
    results = {key: read_json(METRICS / f"baselines/{key}.json") for key in load_params().baselines}
    figures.save(figures.baselines(results), PLOTS / "baselines.png")


if __name__ == "__main__":
    run_stage(main)
