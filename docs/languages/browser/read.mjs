// Reads prepared pictures in a browser, with ONNX Runtime as WebAssembly.
import * as ort from "onnxruntime-web";

const SIDE = 28;

/**
 * Load a model. ONNX Runtime for JavaScript does not give out an ONNX file's metadata, so the names of the classes come
 * from `about.json` beside it.
 *
 * Returns a function that reads 28×28 bytes, row by row (0 = paper, 255 = full ink), as a text: "7 99.8 %".
 */
export async function load(model) {
  const about = await fetch(new URL("about.json", new URL(model, document.baseURI)));
  if (!about.ok) throw new Error(`about.json: expected a file, found ${about.status}`);
  const { classes, threshold } = await about.json();
  const session = await ort.InferenceSession.create(model);
  return async (bytes) => {
    if (bytes.length !== SIDE * SIDE) throw new Error(`expected ${SIDE * SIDE} bytes, found ${bytes.length}`);
    const values = Float32Array.from(bytes, (byte) => byte / 255);
    const { probabilities } = await session.run({ image: new ort.Tensor("float32", values, [1, SIDE, SIDE, 1]) });
    const largest = Math.max(...probabilities.data);
    const name = classes[probabilities.data.indexOf(largest)];
    return `${name} ${(100 * largest).toFixed(1)} %${largest < threshold ? " unsure" : ""}`;
  };
}
