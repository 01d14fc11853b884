// Run by gr.HTML with `element` (the component), and `server` (the Python functions it was given).
const pad = element.querySelector("canvas");
const view = element.querySelector(".view");
const pen = pad.getContext("2d");
let asking = false;
let changed = false;

function wipe() {
  pen.fillStyle = "white";
  pen.fillRect(0, 0, pad.width, pad.height);
}

// One question at a time; what is drawn meanwhile is asked next, so the last answer is for the finished drawing.
async function ask() {
  changed = true;
  if (asking) return;
  asking = true;
  try {
    while (changed) {
      changed = false;
      view.innerHTML = await server.read(pad.toDataURL("image/png"));
    }
  } finally {
    asking = false;
  }
}

function draw(event) {
  if (!pad.hasPointerCapture(event.pointerId)) return;
  const scale = pad.width / pad.clientWidth;
  pen.lineTo(event.offsetX * scale, event.offsetY * scale);
  pen.stroke();
  ask();
}

pad.addEventListener("pointerdown", (event) => {
  pad.setPointerCapture(event.pointerId);
  pen.lineWidth = pad.width / 13; // strokes as wide as MNIST's, for a digit that fills most of the pad
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  draw(event);
});
pad.addEventListener("pointermove", draw);
element.querySelector("button").addEventListener("click", () => {
  wipe();
  ask();
});
wipe();
