// From top to bottom: the pad, drawing with a pointer, with keys, a picture's file, the service, showing its answer.
const element = (id) => document.getElementById(id);
const [frame, pad, cursor, live] = ["frame", "pad", "cursor", "live"].map(element);
const pen = pad.getContext("2d", { willReadFrequently: true });

const HEIGHT = pad.height; // to draw on; for a picture the pad is up to as high as it is wide
const PEN = HEIGHT / 16; // as wide as MNIST's strokes, for digits two thirds as high as the pad
const STEP = HEIGHT / 32; // of an arrow key
const MOST_BARS = 12; // with more classes, the ten most likely are shown
const MANY = 12; // with more digits, they are shown small
const PATIENCE = 30_000; // ms for one answer
const KEYS = "On the pad, arrow keys move a pen, Space lowers or lifts it. Esc clears.";
const NOTHING = { text: "", digits: [] };
const WHOLE = { left: 0, top: 0, width: 1, height: 1 }; // fractions of the pad's sides

let about = { classes: [] };
let marks = []; // on the pad: strokes, or one picture {file, image, area, height of the pad}
let past = []; // what `marks` was before, for Undo
let stroke = null; // the one being drawn
let digits = []; // of the last answer
let chosen = 0; // whose bars are shown

function set(next) {
  marks = next;
  stroke = null;
  changed();
}

function put(next) {
  past.push(marks);
  set(next);
}

const undo = () => set(past.pop() ?? []);
const clear = () => marks.length && put([]);

function changed() {
  const picture = marks[0]?.file;
  pad.height = marks[0]?.height ?? HEIGHT;
  const { left, top, width, height } = place(element("boxes"), marks[0]?.area ?? WHOLE);
  const area = [left * pad.width, top * pad.height, width * pad.width, height * pad.height];
  pen.fillStyle = "white";
  pen.fillRect(...area);
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const mark of marks) {
    if (mark.image) pen.drawImage(mark.image, ...area);
    else if (!mark.file) pen.stroke(mark);
  }
  frame.classList.toggle("picture", Boolean(picture));
  cursor.classList.toggle("down", Boolean(stroke));
  element("help").classList.toggle("keys", !picture);
  element("help").textContent = picture ? `This is ${picture.name || "a picture"}. Clear it to draw.` : KEYS;
  element("hint").textContent = picture ? "This browser cannot show the picture" : "Draw here, or drop a picture";
  element("hint").hidden = picture ? marks[0].image : marks.length;
  element("boxes").hidden = picture && !marks[0].image;
  if (marks.length) ask();
  else show(NOTHING, "Nothing drawn yet");
}

function begin(x, y) {
  const path = new Path2D();
  path.moveTo(x, y);
  put([...marks, path]);
  stroke = path;
  extend([[x, y]]);
}

function extend(points) {
  for (const point of points) stroke.lineTo(...point);
  changed();
}

function position(event) {
  const { left, top, width, height } = pad.getBoundingClientRect();
  return [((event.clientX - left) / width) * pad.width, ((event.clientY - top) / height) * pad.height];
}

pad.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button || marks[0]?.file) return;
  pad.setPointerCapture(event.pointerId);
  begin(...position(event));
});
pad.addEventListener("pointermove", (event) => {
  if (!stroke || !pad.hasPointerCapture(event.pointerId)) return;
  const all = event.getCoalescedEvents?.() ?? []; // a quick pen has more points than there are events
  extend((all.length ? all : [event]).map(position));
});
pad.addEventListener("lostpointercapture", lift);

const held = new Set(); // two arrow keys at once go diagonally
const spot = { x: pad.width / 2, y: pad.height / 4 }; // of the keyboard's pen

function move(side, back, forward, most) {
  spot[side] = Math.min(most, Math.max(0, spot[side] + STEP * (held.has(forward) - held.has(back))));
}

pad.addEventListener("keydown", (event) => {
  const arrow = event.key.startsWith("Arrow");
  if (event.ctrlKey || event.metaKey || event.altKey || marks[0]?.file || !(arrow || event.key === " ")) return;
  event.preventDefault(); // no scrolling
  if (arrow) {
    held.add(event.key);
    move("x", "ArrowLeft", "ArrowRight", pad.width);
    move("y", "ArrowUp", "ArrowDown", pad.height);
    if (stroke) extend([[spot.x, spot.y]]);
  } else if (!event.repeat) {
    if (stroke) lift();
    else begin(spot.x, spot.y);
    live.textContent = stroke ? "Pen down" : "Pen up";
  }
  place(cursor, { left: spot.x / pad.width, top: spot.y / pad.height });
});
pad.addEventListener("keyup", (event) => held.delete(event.key));
pad.addEventListener("blur", lift);

function lift() {
  stroke = null;
  held.clear();
  cursor.classList.remove("down");
}

async function open(file) {
  if (!file) return;
  const image = await createImageBitmap(file).catch(() => null); // a TIFF, for example, which only the service reads
  const tall = image ? Math.min(Math.max((image.height / image.width) * pad.width, HEIGHT), pad.width) : HEIGHT;
  const sides = image ? [image.width / pad.width, image.height / tall] : [0, 0];
  const [width, height] = sides.map((side) => side / (Math.max(...sides) || 1)); // as large as fits, in the middle
  put([{ file, image, area: { left: (1 - width) / 2, top: (1 - height) / 2, width, height }, height: tall }]);
  show(NOTHING, "Reading…");
}

document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault(); // the browser would leave the page and open the file
    document.body.classList.toggle("dragging", name === "dragover");
    if (name === "drop") open(event.dataTransfer.files[0]);
  });
}

let asking = false;
let again = false;

// One question at a time; what is drawn meanwhile is asked next, so the last answer is for the finished drawing.
async function ask() {
  again = true;
  if (asking) return;
  asking = true;
  try {
    while (again && marks.length) {
      again = false;
      await read(marks[0]);
    }
  } finally {
    asking = false;
  }
}

async function read(first) {
  let answer;
  try {
    const body = first.file ?? (await new Promise((done) => pad.toBlob(done)));
    const headers = { "Content-Type": body.type || "application/octet-stream" };
    const { readings } = await service("read?images=1", { method: "POST", body, headers });
    answer = [readings[0]];
  } catch (error) {
    answer = [NOTHING, error.message, "error"];
  }
  if (marks[0] === first) show(...answer); // else the pad was cleared meanwhile
}

// What the service answers, as JSON, or an Error with one line.
async function service(path, { headers, ...options } = {}) {
  const token = sessionStorage.getItem("token");
  const signed = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
  const request = fetch(path, { ...options, headers: signed, signal: AbortSignal.timeout(PATIENCE) });
  const response = await request.catch(() => Promise.reject(new Error("The service does not answer")));
  const answer = await response.json().catch(() => ({}));
  element("login").hidden = response.status !== 401;
  if (response.ok) return answer;
  if (response.status === 401) {
    element("token").focus();
    throw new Error(token ? "The service refuses this token" : "The service asks for its token");
  }
  throw new Error(typeof answer.detail === "string" ? answer.detail : `The service answers ${response.status}`);
}

function show({ text, confidence, unsure, turned, digits: found }, line, state) {
  digits = found;
  chosen = Math.max(0, Math.min(chosen, digits.length - 1));
  const [lines, doubtful] = [text.split("\n"), digits.filter((digit) => digit.unsure)];
  state ??= !digits.length ? "empty" : unsure ? "unsure" : "read";
  line ??= {
    empty: "Nothing to read",
    unsure: digits.length > 1 ? `Unsure about ${doubtful.length} of ${digits.length} digits` : "Unsure",
    read: `${percent(confidence)} sure`,
  }[state];
  if (turned) line += `, read turned by ${turned}°`;
  element("answer").className = state;
  element("reading").textContent = text || "–";
  element("reading").style.setProperty("--length", Math.max(1, ...lines.map((one) => one.length)));
  element("reading").style.setProperty("--lines", lines.length);
  element("sure").textContent = line;
  const spoken = lines.length > 1 ? `${lines.length} lines: ${lines.join("; ")}` : text;
  say(text ? `${unsure ? "Perhaps" : "Read"} ${spoken}, ${line}` : line);
  for (const id of ["digits", "boxes"]) element(id).classList.toggle("many", digits.length > MANY);
  children("digits", digits.length).forEach((label, index) => {
    const digit = digits[index];
    label.querySelector("img").src = digit.image;
    const sure = digit.unsure ? "unsure" : percent(digit.confidence);
    label.classList.toggle("unsure", digit.unsure);
    label.querySelector("span").textContent = digit.label;
    label.querySelector("small").textContent = `, ${sure}`;
  });
  children("boxes", digits.length > 1 ? digits.length : 0).forEach((box, index) => {
    const [left, top, right, bottom] = digits[index].box;
    box.querySelector("b").textContent = digits[index].label;
    place(box, { left, top, width: right - left, height: bottom - top });
  });
  choose(chosen);
}

// Show the bars of one digit.
function choose(index) {
  chosen = index;
  children("digits", digits.length).forEach((label, i) => (label.querySelector("input").checked = i === index));
  [...element("boxes").children].forEach((box, i) => {
    box.classList.toggle("chosen", i === index);
    box.classList.toggle("unsure", digits[i].unsure);
  });
  const { label, line, probabilities: shares } = digits[index] ?? {};
  const many = about.classes.length > MOST_BARS;
  const ranked = shares ? [...about.classes].sort((a, b) => shares[b] - shares[a]).slice(0, 10) : [];
  const names = many ? ranked : about.classes;
  const where = digits.at(-1)?.line ? `, in line ${line + 1}` : "";
  const whose = digits.length > 1 ? ` (digit ${index + 1} of ${digits.length}${where})` : "";
  element("caption").textContent = (many ? "The ten most likely classes" : "How likely each class is") + whose;
  children("bars", names.length).forEach((row, i) => {
    row.className = names[i] === label ? "best" : "";
    row.querySelector("th").textContent = names[i];
    row.querySelector(".bar").style.width = `${100 * (shares?.[names[i]] ?? 0)}%`;
    row.querySelector(".share").textContent = shares ? percent(shares[names[i]], 1) : "";
  });
}

// Never 100 %, because no model is certain: 0.9996 is 99 %, or 99.9 % to one place.
function percent(share, places = 0) {
  const most = 100 - 10 ** -places;
  return `${Math.min(100 * share, most).toFixed(places)} %`;
}

function place(one, area) {
  for (const [side, share] of Object.entries(area)) one.style[side] = `${100 * share}%`;
  return area;
}

// As many children as there are things to show. Those that stay keep the focus and do not flicker.
function children(id, count) {
  const parent = element(id);
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(element(`${id}-each`).content.cloneNode(true));
  return [...parent.children];
}

let saying = 0;

// To a screen reader, once the pen rests: not at every move of it.
function say(line) {
  clearTimeout(saying);
  saying = setTimeout(() => (live.textContent = line), 600);
}

element("digits").addEventListener("change", (event) => {
  choose([...element("digits").children].indexOf(event.target.closest("label")));
});
element("boxes").addEventListener("click", (event) => {
  choose([...element("boxes").children].indexOf(event.target.closest("span")));
});
element("undo").addEventListener("click", undo);
element("clear").addEventListener("click", clear);
element("choose").addEventListener("click", () => element("file").click());
element("file").addEventListener("change", (event) => {
  open(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("keydown", (event) => {
  if (event.target === element("token")) return;
  if (["Escape", "Delete"].includes(event.key)) clear();
  if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  undo();
});
element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", element("token").value.trim());
  event.target.reset();
  start();
});

async function start() {
  try {
    about = await service("about");
    document.title = element("title").textContent = about.title;
    const { classes, version, threshold, licence } = about;
    element("scope").hidden = !classes.every((name) => /^\d$/.test(name));
    element("about").textContent = `Model ${version}, unsure below ${percent(threshold)}. ${licence}.`;
    changed();
  } catch (error) {
    show(NOTHING, error.message, "error");
  }
}

const token = /^#token=(.+)$/.exec(location.hash);
if (token) {
  sessionStorage.setItem("token", decodeURIComponent(token[1]));
  history.replaceState(null, "", location.pathname + location.search); // so that nobody copies it with the address
}
place(cursor, { left: spot.x / pad.width, top: spot.y / pad.height });
start();
