// One digit on even paper → 28×28 bytes as the model wants them. The numbers are the steps in ../../languages.md.

const sum = (values) => values.reduce((total, value) => total + value, 0);
const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const round = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // a half goes to the even number
const quantile = (values, share) => Float64Array.from(values).sort()[Math.floor(share * (values.length - 1))];
const transposed = (rows) => rows[0].map((_, x) => rows.map((row) => row[x]));
const each = (rows, change) => rows.map((row) => row.map(change));
const bothWays = (rows, change) => transposed(transposed(rows.map(change)).map(change));
const crop = (rows, [top, bottom], [left, right]) => rows.slice(top, bottom).map((row) => row.slice(left, right));

/** `levels`: rows of grey levels 0–255, at most 160 each way. Returns 784 bytes, or null where there is no ink. */
export function prepare(levels) {
  // 3. The paper is the middle level of the border near the corners; ink is the distance from it.
  const ends = (edge) => edge.filter((_, i) => Math.min(i, edge.length - 1 - i) <= edge.length >> 2);
  const columns = transposed(levels);
  const paper = quantile([levels[0], levels.at(-1), columns[0], columns.at(-1)].flatMap(ends), 0.5);
  const sign = paper > sum(levels.flat()) / levels.flat().length ? -1 : 1;
  const distance = each(levels, (level) => clip((level - paper) * sign, 0, 255));
  // 4. Strong ink lies above Otsu's threshold.
  const { threshold, contrast } = otsu(distance.flat());
  if (contrast < 20) return null;
  // 5. The 90 % quantile of the strong ink is full ink, 1; what is not near strong ink is paper, 0.
  const strong = each(distance, (value) => value > threshold);
  const full = quantile(distance.flat().filter((value) => value > threshold), 0.9);
  const reach = Math.max(2, round(Math.max(levels.length, columns.length) / 64));
  const widened = (row) => row.map((_, i) => row.slice(Math.max(0, i - reach), i + reach + 1).some(Boolean));
  const near = bothWays(strong, widened);
  const ink = distance.map((row, y) => row.map((value, x) => (near[y][x] ? Math.min(value / full, 1) : 0)));
  // 6. Crop to what has more than a quarter of full ink, without specks: columns, rows, and columns again.
  const solid = each(ink, (value) => (value > 0.25 ? value : 0));
  const across = span(transposed(solid).map(sum));
  const down = span(crop(solid, [0, solid.length], across).map(sum));
  const again = span(transposed(crop(solid, down, across)).map(sum)).map((at) => at + across[0]);
  const digit = crop(ink, down, again);
  // 7. The longer side becomes 20 pixels: a new pixel is the mean of the old ones whose centres it covers.
  const scale = 20 / Math.max(digit.length, digit[0].length);
  const resized = (row) => {
    const size = Math.max(1, round(row.length * scale));
    const edge = (i) => Math.floor((i * row.length) / size + 0.5);
    const covered = (i) => row.slice(edge(i), Math.max(edge(i + 1), edge(i) + 1)); // at least one
    return Array.from({ length: size }, (_, i) => sum(covered(i)) / covered(i).length);
  };
  const small = bothWays(digit, resized);
  // 8. The 97 % quantile becomes full ink, so that thin strokes, paled by step 7, are white again.
  const bright = each(small, (value) => Math.min(value / clip(quantile(small.flat(), 0.97), 0.2, 1), 1));
  // 9. The centre of mass comes to pixel (14, 14), counted from 0, as far as the digit then stays inside.
  const start = (profile) => {
    const centre = sum(profile.map((value, i) => value * i)) / sum(profile);
    return clip(round(14 - centre), 0, 28 - profile.length);
  };
  const [top, left] = [start(bright.map(sum)), start(transposed(bright).map(sum))];
  const pixels = new Uint8Array(784);
  bright.forEach((row, y) => row.forEach((value, x) => (pixels[(top + y) * 28 + left + x] = round(value * 255))));
  return pixels;
}

/** The threshold with the largest variance between the levels up to it and those above; how far their means differ. */
function otsu(values) {
  const mean = sum(values) / values.length;
  let [share, mass, best] = [0, 0, { between: -1 }]; // of the levels up to the threshold
  for (let threshold = 0; threshold < 256; threshold++) {
    const count = values.filter((value) => value === threshold).length;
    share += count / values.length;
    mass += (count * threshold) / values.length;
    const both = Math.max(share * (1 - share), 1e-9);
    const between = (mean * share - mass) ** 2 / both;
    if (between > best.between) best = { between, threshold, contrast: (mean * share - mass) / both };
  }
  return best;
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
