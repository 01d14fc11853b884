// Reads prepared pictures with ONNX Runtime: node read.mjs MODEL.onnx PIXELS...
// PIXELS is a file of 28×28 bytes, row by row: 0 = paper, 255 = full ink.
import { readFile } from "node:fs/promises";
import ort from "onnxruntime-node";
import { load } from "../browser/read.mjs";

const [model, ...pictures] = process.argv.slice(2);
if (!pictures.length) {
  console.error("usage: node read.mjs MODEL.onnx PIXELS...");
  process.exit(2);
}
const content = await readFile(model).catch((error) => {
  console.error(`error: ${model}: expected an ONNX model, found: ${error.message}`);
  process.exit(1);
});
const { read } = await load(ort, content);

for (const picture of pictures) {
  try {
    const { label, confidence, unsure } = await read(await readFile(picture));
    console.log(`${label} ${(100 * confidence).toFixed(1)} %${unsure ? " unsure" : ""}`);
  } catch (error) {
    console.error(`error: ${picture}: ${error.message}`);
    process.exit(1);
  }
}
