"""A page to draw a digit on, and to watch the model read it.

Run: python -m apps.draw [--port 7860]

Serves 127.0.0.1 alone, and the page asks no other host for anything: it works without internet.
The pad is a plain canvas (draw.js): Gradio's own sketch pad wants its brush chosen before the first stroke.
"""

import argparse
import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mnist.errors import PipelineError, run
from mnist.inference.classifier import CLASSES, Classifier
from mnist.inference.picture import PictureError
from mnist.inference.prepare import prepare
from mnist.paths import ONNX
from mnist.pixels import SIDE

MODEL = Path(__file__).parents[1] / ONNX
PAD = 364  # pixels; 13 for each of the model's 28
PNG = "data:image/png;base64,"


class DrawError(PipelineError):
    """The page cannot be served."""


def main() -> None:
    """Load the model, then serve the page until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m apps.draw", description="A page to draw a digit on.")
    parser.add_argument("--port", type=int, default=7860, help="of 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--model", type=Path, default=MODEL, help=f"ONNX file (default: {ONNX} of this project)")
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model)

    def read(drawing: str) -> str:  # its name is the one that draw.js calls
        return answer(drawing, classifier)

    serve(read, arguments.port)


def serve(read: Callable[[str], str], port: int) -> None:
    """Serve the page; `read` turns the pad's PNG, as a data URL, into the HTML of the answer.

    Raises:
        DrawError: the port cannot be used.
    """
    import gradio as gr  # takes seconds: after the errors that are known without it

    here = Path(__file__)
    with gr.Blocks(title="Draw a digit", analytics_enabled=False) as page:
        gr.HTML(
            html_template=sheet(),
            js_on_load=here.with_suffix(".js").read_text(encoding="utf-8"),
            server_functions=[read],
            apply_default_css=False,
            elem_id="draw",
        )
    local = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # no font from a web host
    try:
        page.launch(
            server_name="127.0.0.1",
            server_port=port,
            share=False,
            ssr_mode=False,
            footer_links=[],
            theme=local,
            css=here.with_suffix(".css").read_text(encoding="utf-8"),
            quiet=True,
            prevent_thread_lock=True,
        )
    except (OSError, OverflowError):
        raise DrawError(
            f"expected a free port, found {port}, which is in use or not allowed; choose one with --port"
        ) from None
    print(f"draw at http://127.0.0.1:{port}/ (Ctrl-C ends it)", flush=True)
    page.block_thread()


def sheet() -> str:
    """The page's HTML with an empty pad."""
    pad = f'<div><canvas width="{PAD}" height="{PAD}"></canvas><button type="button">Clear</button></div>'
    return f'<h1>Draw a digit</h1><div class="page">{pad}<div class="view">{frame(None, None)}</div></div>'


def answer(drawing: str, classifier: Classifier) -> str:
    """The HTML for a drawing: what the model sees and says; an empty frame for an empty pad."""
    try:
        image = prepare(base64.b64decode(drawing.removeprefix(PNG)), "drawing")
    except (PictureError, ValueError):  # ValueError: no base64, so not from the page
        return frame(None, None)
    return frame(image, classifier(image[None])[0])


def frame(image: np.ndarray | None, probabilities: np.ndarray | None) -> str:
    """The most likely digit, the model's view `uint8` `(28, 28)`, and a bar for each of the ten `probabilities`."""
    best = None if probabilities is None else int(probabilities.argmax())
    bars = "".join(
        bar(digit, None if probabilities is None else float(probabilities[digit]), digit == best)
        for digit in range(CLASSES)
    )
    view = f'<figure><img alt="" src="{data_url(image)}">what the model sees</figure>'
    head = f'<div class="head"><span class="digit">{"" if best is None else best}</span>{view}</div>'
    return f'{head}<div class="rows">{bars}</div>'


def bar(digit: int, share: float | None, best: bool) -> str:
    """One row: the digit, a bar as long as its `share` (0–1), and that share as a percentage."""
    track = f'<span class="track"><span class="bar" style="width: {share or 0:.1%}"></span></span>'
    text = "" if share is None else f"{share:.1%}"
    return (
        f'<div class="row{" best" if best else ""}"><span>{digit}</span>{track}<span class="share">{text}</span></div>'
    )


def data_url(image: np.ndarray | None) -> str:
    """The model's view, or an empty one, as a PNG inside a URL: light ink on black, as the model has it."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8) if image is None else image).save(file, "PNG")
    return PNG + base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    run(main)
