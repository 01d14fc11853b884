// Reads prepared pictures with ONNX Runtime: node read.mjs MODEL.onnx PIXELS...
// PIXELS is a file of 28×28 bytes, row by row: 0 = paper, 255 = full ink.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import ort from "onnxruntime-node";

const SIDE = 28;
const [model, ...pictures] = process.argv.slice(2);
if (!pictures.length) {
  console.error("usage: node read.mjs MODEL.onnx PIXELS...");
  process.exit(2);
}
// ONNX Runtime for JavaScript does not give out an ONNX file's metadata, so they come from the file beside it.
const { classes, threshold } = JSON.parse(await readFile(join(dirname(model), "about.json"), "utf8"));
const session = await ort.InferenceSession.create(model);

for (const picture of pictures) {
  const bytes = await readFile(picture);
  if (bytes.length !== SIDE * SIDE) {
    console.error(`error: ${picture}: expected ${SIDE * SIDE} bytes, found ${bytes.length}`);
    process.exit(1);
  }
  const values = Float32Array.from(bytes, (byte) => byte / 255);
  const { probabilities } = await session.run({ image: new ort.Tensor("float32", values, [1, SIDE, SIDE, 1]) });
  const largest = Math.max(...probabilities.data);
  const name = classes[probabilities.data.indexOf(largest)];
  console.log(`${name} ${(100 * largest).toFixed(1)} %${largest < threshold ? " unsure" : ""}`);
}
