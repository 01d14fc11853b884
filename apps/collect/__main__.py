"""Run: python -m apps.collect pictures/ NAME --as digits"""

from apps.collect import main
from mnist.core.errors import run

if __name__ == "__main__":
    run(main)
