"""Reads prepared pictures as a microcontroller would: python read.py MODEL_int8.tflite PIXELS...

PIXELS is a file of 28×28 bytes, row by row: 0 = paper, 255 = full ink.
"""

import json
import sys
from pathlib import Path

import numpy as np
from tflite_micro import runtime

ARENA = 47_280  # bytes of memory for everything that is not the model's file

model, *pictures = map(Path, sys.argv[1:])
about = json.loads(model.with_name("about.json").read_text(encoding="utf-8"))
interpreter = runtime.Interpreter.from_file(model, arena_size=ARENA)
for picture in pictures:
    pixels = np.fromfile(picture, np.uint8)
    if pixels.size != 28 * 28:
        sys.exit(f"error: {picture}: expected 784 bytes, found {pixels.size}")
    interpreter.set_input(pixels.reshape(1, 28, 28, 1), 0)
    interpreter.invoke()
    probabilities = interpreter.get_output(0)[0] / 256
    best = probabilities.argmax()
    unsure = " unsure" if probabilities[best] < about["threshold"] else ""
    print(f"{about['classes'][best]} {100 * probabilities[best]:.1f} %{unsure}")
