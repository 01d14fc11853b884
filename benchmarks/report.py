"""What every benchmark ends with: a table on the screen and the same figures, with the machine, as JSON."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist.core.files import write_json

LIBRARIES = ("tensorflow", "keras", "numpy", "polars")


def machine() -> dict[str, Any]:
    """The processor, its cores that this process may use, and the versions that matter."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return {
        "processor": models[0].partition(": ")[2] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
    } | {name: version(name) for name in LIBRARIES}


def report(name: str, results: list[dict[str, Any]]) -> None:
    """Print the rows, which share their keys, and write them to benchmarks/<name>.json."""
    print(table(results))
    write_json(Path(f"benchmarks/{name}.json"), {"machine": machine(), "results": results})


def table(rows: list[dict[str, Any]]) -> str:
    """Lines of aligned columns, headed by the rows' keys."""
    lines = [[cell(key) for key in rows[0]], *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)


def cell(value: Any) -> str:
    """A value as a reader wants it: three digits or more of a number, a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("_", " ")
