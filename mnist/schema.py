"""The JSON schema of params.yaml, which editors use to complete and to check it.

Run: python -m mnist.schema > params.schema.json
"""

import json
from typing import Any

from mnist.core.sections import Params
from mnist.export.formats import FORMATS
from mnist.learning.keras_classes import keras_classes


def schema() -> dict[str, Any]:
    """The schema of everything in params.yaml, with the names of layers, optimizers and export formats."""
    found = Params.model_json_schema()
    (architecture,) = found["properties"]["architectures"]["patternProperties"].values()
    layer = architecture["items"]
    layer["propertyNames"] = {"enum": sorted(keras_classes("layers"))}
    sections = found["$defs"]
    sections["Training"]["properties"]["optimizer"]["propertyNames"] = {"enum": sorted(keras_classes("optimizers"))}
    sections["Export"]["properties"]["formats"]["items"]["enum"] = [*FORMATS]
    return found


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
