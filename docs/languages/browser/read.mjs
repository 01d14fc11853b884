// Reads prepared pictures with ONNX Runtime, in a browser or in Node.

const SIDE = 28;

/**
 * Load a model: the bytes of an ONNX file, and `ort`, which is onnxruntime-web or onnxruntime-node.
 *
 * Returns what the file says `about` the model, and a function that reads 28×28 bytes, row by row (0 = paper,
 * 255 = full ink): { label, confidence, unsure }.
 */
export async function load(ort, model) {
  const about = properties(model);
  const session = await ort.InferenceSession.create(model);
  async function read(bytes) {
    if (bytes.length !== SIDE * SIDE) throw new Error(`expected ${SIDE * SIDE} bytes, found ${bytes.length}`);
    const values = Float32Array.from(bytes, (byte) => byte / 255);
    const { probabilities } = await session.run({ image: new ort.Tensor("float32", values, [1, SIDE, SIDE, 1]) });
    const confidence = Math.max(...probabilities.data);
    const label = about.classes[probabilities.data.indexOf(confidence)];
    return { label, confidence, unsure: confidence < about.threshold };
  }
  return { about, read };
}

/** The file's `metadata_props`, which ONNX Runtime for JavaScript does not give out; each value is JSON. */
function properties(model) {
  const entries = [...fields(model)].filter(([number]) => number === 14).map(([, entry]) => [...fields(entry)]);
  const texts = entries.map((pair) => pair.map(([, text]) => new TextDecoder().decode(text)));
  return Object.fromEntries(texts.map(([key, value]) => [key, JSON.parse(value)]));
}

/** The fields of a message in the format of Protocol Buffers that hold bytes: number and bytes. */
function* fields(message) {
  let at = 0;
  function integer() {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = message[at++];
      value += (byte & 127) * unit;
      if (!(byte & 128)) return value;
    }
  }
  while (at < message.length) {
    const tag = integer();
    const value = integer(); // the number of bytes, where the field holds bytes
    if ((tag & 7) === 2) yield [tag >> 3, message.subarray(at, (at += value))];
  }
}
