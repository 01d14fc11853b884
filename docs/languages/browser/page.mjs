// The page: a pad to draw on, a picture's file, and the answer.
import * as ort from "./ort.wasm.bundle.min.mjs";
import { prepare } from "./prepare.mjs";
import { load } from "./read.mjs";

const element = (id) => document.getElementById(id);
const [pad, seen, cursor] = ["pad", "seen", "cursor"].map(element);
const pen = pad.getContext("2d", { willReadFrequently: true });
Object.assign(pen, { lineWidth: pad.width / 14, lineCap: "round", lineJoin: "round" }); // about as thick as MNIST's

const STEP = pad.width / 32; // of an arrow key
const MOST = 4096; // pixels a side; a larger picture is read in a smaller copy, because phones have no larger canvas

export const model = open();

async function open() {
  const answer = await fetch("model.onnx");
  if (!answer.ok) throw new Error(`model.onnx: expected a file, found ${answer.status}`);
  const { about, read } = await load(ort, new Uint8Array(await answer.arrayBuffer()));
  if (about.preparation !== "ink") throw new Error(`expected a model of digits, found one of ${about.title}`);
  element("about").textContent = `${about.title}, model ${about.version}. ${about.licence}.`;
  return read;
}

/** The pixels of a picture's file, turned as EXIF says. */
export async function decode(file) {
  const image = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => {
    throw new Error("This browser cannot read the file as a picture");
  });
  const scale = Math.min(1, MOST / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

export const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);

function show(state, reading, sure, image = new Uint8Array(784)) {
  element("answer").className = state;
  element("reading").textContent = reading;
  element("sure").textContent = sure;
  const colours = Uint8ClampedArray.from({ length: 4 * image.length }, (_, i) => (i % 4 < 3 ? image[i >> 2] : 255));
  seen.getContext("2d").putImageData(new ImageData(colours, seen.width), 0, 0);
}

async function read(canvas) {
  const image = prepare(pixels(canvas));
  if (!image) return show("empty", "–", "Nothing to read");
  const { label, confidence, unsure } = await (await model)(image);
  const percent = `${Math.min(Math.floor(1000 * confidence) / 10, 99.9).toFixed(1)} %`; // no model is certain
  show(unsure ? "unsure" : "", label, unsure ? `Unsure: ${percent}` : `${percent} sure`, image);
}

let drawing = false;
let last = Promise.resolve();

/** One after another, so that the last answer is that to the last picture. */
function next(step) {
  last = last.then(step).catch((error) => show("error", "–", error.message));
}

function clear() {
  drawing = false;
  pen.clearRect(0, 0, pad.width, pad.height);
  pad.classList.remove("picture");
  element("hint").hidden = false;
  next(() => show("empty", "–", "Nothing drawn yet"));
}

function choose(file) {
  if (!file) return;
  clear();
  next(async () => {
    const canvas = await decode(file);
    const scale = pad.width / Math.max(canvas.width, canvas.height);
    const [width, height] = [canvas.width * scale, canvas.height * scale];
    pen.drawImage(canvas, (pad.width - width) / 2, (pad.height - height) / 2, width, height);
    pad.classList.add("picture");
    element("hint").hidden = true;
    await read(canvas);
  });
}

function begin(x, y) {
  if (pad.classList.contains("picture")) clear();
  element("hint").hidden = drawing = true;
  goTo(x, y);
  extend(x, y); // a dot
}

function goTo(x, y) {
  pen.beginPath();
  pen.moveTo(x, y);
}

function extend(x, y) {
  pen.lineTo(x, y);
  pen.stroke();
  goTo(x, y); // drawn once, an edge stays smooth
}

function end() {
  if (!drawing) return;
  drawing = false;
  place();
  next(() => read(pad));
}

function position({ clientX, clientY }) {
  const { left, top, width, height } = pad.getBoundingClientRect();
  return [((clientX - left) / width) * pad.width, ((clientY - top) / height) * pad.height];
}

pad.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button) return;
  pad.setPointerCapture(event.pointerId);
  begin(...position(event));
});
pad.addEventListener("pointermove", (event) => {
  if (!drawing || !pad.hasPointerCapture(event.pointerId)) return;
  const all = event.getCoalescedEvents?.() ?? []; // a quick pen has more points than there are events
  for (const one of all.length ? all : [event]) extend(...position(one));
});
pad.addEventListener("lostpointercapture", end);

const spot = { x: pad.width / 2, y: pad.height / 4 }; // of the keyboard's pen
const WAYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

pad.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key === " " || event.key in WAYS)) return;
  event.preventDefault(); // no scrolling
  if (event.key === " ") {
    if (event.repeat) return;
    if (drawing) return end();
    begin(spot.x, spot.y);
    show("empty", "–", "Pen down");
  } else {
    const [x, y] = WAYS[event.key];
    spot.x = Math.min(Math.max(spot.x + x, 0), pad.width);
    spot.y = Math.min(Math.max(spot.y + y, 0), pad.height);
    if (drawing) extend(spot.x, spot.y);
  }
  place();
});
pad.addEventListener("blur", end);

function place() {
  Object.assign(cursor.style, { left: `${(100 * spot.x) / pad.width}%`, top: `${(100 * spot.y) / pad.height}%` });
  cursor.classList.toggle("down", drawing);
}

element("clear").addEventListener("click", clear);
element("choose").addEventListener("click", () => element("file").click());
element("file").addEventListener("change", (event) => {
  choose(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("keydown", (event) => event.key === "Escape" && clear());
document.addEventListener("paste", (event) => choose(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault()); // or the browser would open the file
document.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer.files[0]);
});

place();
show("empty", "–", "The model is loading…");
next(() => model.then(() => show("empty", "–", "Nothing drawn yet")));
