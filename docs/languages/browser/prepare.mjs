// A picture of one digit → 28×28 bytes as the model wants them. The numbers are the steps in
// ../../languages.md. What Python keeps as float32 is rounded to that (`fround`), so that both get the same bytes.

const SIDE = 28;
const [WORK, SMALL] = [160, 40]; // pixels: the longest side that is searched; a digit below is searched for again
const CELLS = 24; // a side, through which curved paper is fitted
const CONTRAST = 20; // levels; less between ink and paper is an empty picture
const BOX = { weight: (x) => Number(x > -0.5 && x <= 0.5), reach: 0.5 };
const BILINEAR = { weight: (x) => Math.max(1 - Math.abs(x), 0), reach: 1 };
const { fround, max, min } = Math;

const sum = (values) => values.reduce((total, value) => total + value, 0);
const clip = (value, low, high) => min(max(value, low), high);
const round = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // a half goes to the even number
const sorted = (values) => Float64Array.from(values).sort();
const quantile = (values, share) => sorted(values)[Math.floor(share * (values.length - 1))];
const median = (values) => mean([values.length - 1, values.length].map((twice) => sorted(values)[twice >> 1]));
const mean = (values) => sum(values) / values.length;
const longer = (rows) => max(rows.length, rows[0].length);
const transposed = (rows) => Array.from(rows[0], (_, x) => rows.map((row) => row[x]));
const each = (rows, change) => rows.map((row) => row.map(change));
const bothWays = (rows, change) => transposed(transposed(rows.map(change)).map(change));
const crop = (rows, [top, bottom], [left, right]) => rows.slice(top, bottom).map((row) => row.slice(left, right));

/** `picture`: width, height, and the red, green, blue and alpha of each pixel as `data`, as a canvas gives them.
 *  Returns 784 bytes, or null where there is no ink. */
export function prepare(picture) {
  const digit = cutOut(grey(picture));
  return digit && centred(fitted(digit));
}

/** 1. Grey levels 0–255: rows of bytes. Transparent parts are unlike ink, but like visible paper. */
function grey({ width, height, data }) {
  const level = (at) => (19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) >> 16;
  let [visible, light] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    visible += data[at + 3];
    if (level(at) > 127) light += data[at + 3];
  }
  const isPaper = visible > (255 * width * height) / 2 && light > 0.01 * visible && light < 0.99 * visible;
  const behind = light > visible / 2 === isPaper ? 255 : 0;
  const over = (at) => Math.round((level(at) * data[at + 3] + behind * (255 - data[at + 3])) / 255);
  return Array.from({ length: height }, (_, y) => new Uint8Array(width).map((_, x) => over(4 * (y * width + x))));
}

/** The ink of the digit, 0–1, without a margin. A small digit of a large picture is `nearer` on the second try. */
function cutOut(levels, nearer = false) {
  const factor = Math.ceil(longer(levels) / WORK);
  const ink = found(reduced(levels, factor));
  if (!ink) return null;
  const box = extent(ink);
  const size = max(...box.map(([start, stop]) => stop - start));
  if (factor === 1 || size >= SMALL || nearer) return crop(ink, ...box);
  const margin = (size >> 1) + 2;
  const around = box.map(([start, stop]) => [factor * max(start - margin, 0), factor * (stop + margin)]);
  return cutOut(crop(levels, ...around), true);
}

/** 2. A copy with sides `factor` times shorter: each pixel is the mean of a block, which may be cut off at the end. */
function reduced(levels, factor) {
  const [height, width] = [levels.length, levels[0].length].map((side) => Math.ceil(side / factor));
  return Array.from({ length: height }, (_, y) => {
    const rows = levels.slice(y * factor, (y + 1) * factor);
    return Array.from({ length: width }, (_, x) => {
      const parts = rows.map((row) => row.subarray(x * factor, (x + 1) * factor));
      const count = parts.length * parts[0].length;
      return Math.floor(((sum(parts.map(sum)) + (count >> 1)) * Math.floor(2 ** 24 / count)) / 2 ** 24); // as Pillow
    });
  });
}

/** 3., 4. How far levels are from the paper, with Otsu's threshold. The paper is even, or curved if that is clearer. */
function apart(levels) {
  const ends = (edge) => edge.filter((_, i) => min(i, edge.length - 1 - i) <= edge.length >> 2);
  const columns = transposed(levels);
  const paper = quantile([levels[0], levels.at(-1), columns[0], columns.at(-1)].flatMap(ends), 0.5);
  const even = split(distance(levels, () => paper, paper > mean(levels.flat()) ? -1 : 1));
  if (even.separability >= 0.88) return even;
  const { surface, sign } = curved(levels);
  const uneven = split(distance(levels, (x, y) => surface[y][x], sign));
  const gain = uneven.separability - even.separability;
  const clearer = gain > 0.05 || (gain > 0 && uneven.contrast > 1.5 * even.contrast);
  return clearer || uneven.contrast < CONTRAST ? uneven : even;
}

const distance = (levels, paper, sign) =>
  levels.map((row, y) => row.map((level, x) => Math.floor(clip(fround(level - paper(x, y)) * sign, 0, 255))));

/** A surface of second degree through the paper, fitted without what stands out from it; the sign of what does. */
function curved(levels) {
  const at = (i) => (2 * i) / (CELLS - 1) - 1; // -1 to 1
  const values = resized(levels, [CELLS, CELLS], BOX, Math.round).flat();
  const places = values.map((_, i) => [at(i % CELLS), at(Math.floor(i / CELLS))]);
  const terms = places.map(([x, y]) => [1, x, y, x * x, x * y, y * y]);
  let [paper, level, rest] = [values.map(() => true)];
  for (let time = 0; time < 6; time++) {
    const factors = fit(terms.filter((_, i) => paper[i]), values.filter((_, i) => paper[i]));
    level = terms.map((term) => sum(term.map((value, i) => value * factors[i])));
    rest = values.map((value, i) => value - level[i]);
    const limit = max(2, 2 * 1.4826 * median(rest.filter((_, i) => paper[i]).map(Math.abs)));
    const near = rest.map((value) => Math.abs(value) < limit);
    if (near.filter(Boolean).length < values.length / 4 || near.every((is, i) => is === paper[i])) break;
    paper = near;
  }
  const rows = Array.from({ length: CELLS }, (_, y) => level.slice(y * CELLS, (y + 1) * CELLS).map(fround));
  const sign = sum(rest.filter((_, i) => !paper[i])) > 0 ? 1 : -1;
  return { surface: resized(rows, [levels.length, levels[0].length], BILINEAR, fround), sign };
}

/** The factors of the terms with the least squares: the normal equations, solved by elimination. */
function fit(terms, values) {
  const product = (i, other) => sum(terms.map((term, n) => term[i] * other(term, n)));
  const system = terms[0].map((_, i) => [
    ...terms[0].map((_, j) => product(i, (term) => term[j])),
    product(i, (_, n) => values[n]),
  ]);
  system.forEach((row, i) => {
    for (const other of system.filter((one) => one !== row)) {
      const share = other[i] / row[i];
      other.forEach((value, j) => (other[j] = value - share * row[j]));
    }
  });
  return system.map((row, i) => row.at(-1) / row[i]);
}

/** 5. Ink, 0–1: the 90 % quantile of the strong ink is 1, and what is not near strong ink is 0. Null without ink. */
function found(levels) {
  const { values, threshold, contrast } = apart(levels);
  if (contrast < CONTRAST) return null;
  const strong = each(values, (value) => value > threshold);
  const full = quantile(values.flat().filter((value) => value > threshold), 0.9);
  const reach = max(2, round(longer(levels) / 64));
  const widened = (row) => row.map((_, i) => row.slice(max(0, i - reach), i + reach + 1).some(Boolean));
  const near = bothWays(strong, widened);
  return values.map((row, y) => row.map((value, x) => (near[y][x] ? fround(min(value / full, 1)) : 0)));
}

/** 6. Rows and columns of what has more than a quarter of full ink, without specks: columns, rows, columns again. */
function extent(ink) {
  const solid = each(ink, (value) => (value > 0.25 ? value : 0));
  const across = span(transposed(solid).map(sum));
  const down = span(crop(solid, [0, solid.length], across).map(sum));
  return [down, span(transposed(crop(solid, down, across)).map(sum)).map((at) => at + across[0])];
}

/** 7., 8. The longer side becomes 20 pixels, and the 97 % quantile full ink: thin strokes, paled, are white again. */
function fitted(digit) {
  const scale = 20 / longer(digit);
  const sides = [digit.length, digit[0].length].map((side) => max(1, round(side * scale)));
  const small = resized(digit, sides, scale < 1 ? BOX : BILINEAR, fround);
  const full = fround(clip(quantile(small.flat(), 0.97), 0.2, 1));
  return each(small, (value) => fround(min(value / full, 1)));
}

/** Rows of another size, by Pillow's filters and in its order of operations: along the rows, then along the columns. */
function resized(rows, [height, width], { weight, reach }, store) {
  const along = (size) => (row) => {
    const step = row.length / size;
    const wide = max(step, 1);
    return Array.from({ length: size }, (_, i) => {
      const centre = (i + 0.5) * step;
      const [start, stop] = [-reach, reach].map((side) => max(Math.trunc(centre + side * wide + 0.5), 0));
      const covered = row.slice(start, stop);
      const weights = covered.map((_, x) => weight((x + start - centre + 0.5) * (1 / wide)));
      return store(sum(covered.map((value, x) => value * weights[x])) / (sum(weights) || 1));
    });
  };
  return transposed(transposed(rows.map(along(width))).map(along(height)));
}

/** 9., 10. In 28×28 bytes: the centre of mass comes to pixel (14, 14), counted from 0, if the digit stays inside. */
function centred(digit) {
  const start = (profile) => {
    const centre = sum(profile.map((value, i) => value * i)) / sum(profile);
    return clip(round(SIDE / 2 - centre), 0, SIDE - profile.length);
  };
  const [top, left] = [start(digit.map(sum)), start(transposed(digit).map(sum))];
  const pixels = new Uint8Array(SIDE * SIDE);
  digit.forEach((row, y) => pixels.set(row.map((value) => round(fround(value * 255))), (top + y) * SIDE + left));
  return pixels;
}

/** Otsu's threshold: the largest variance between the values up to it and those above. `contrast`: of their means. */
function split(values) {
  const counts = new Array(256).fill(0);
  for (const value of values.flat()) counts[value]++;
  const shares = counts.map((count) => count / (values.length * values[0].length));
  const all = sum(shares.map((share, level) => share * level));
  const total = sum(shares.map((share, level) => share * (level - all) ** 2));
  let [share, mass, best] = [0, 0, { between: -1 }]; // of the levels up to the threshold
  shares.forEach((one, threshold) => {
    share += one;
    mass += one * threshold;
    const both = max(share * (1 - share), 1e-9);
    const between = (all * share - mass) ** 2 / both;
    if (between > best.between) best = { between, threshold, contrast: (all * share - mass) / both };
  });
  return { ...best, values, separability: total ? best.between / total : 0 };
}

/** From the first to the last run of values above 0 that holds more than 5 % of all (of all runs, where none does). */
function span(profile) {
  const runs = [];
  profile.forEach((value, i) => {
    if (value > 0 && !(profile[i - 1] > 0)) runs.push({ start: i, held: 0 });
    if (value > 0) Object.assign(runs.at(-1), { stop: i + 1, held: runs.at(-1).held + value });
  });
  const large = runs.filter((run) => run.held > 0.05 * sum(profile));
  const kept = large.length ? large : runs;
  return [kept[0].start, kept.at(-1).stop];
}
