// What edits make of a face's points. Pure functions: points are [x, y, state] or null, in the
// order of the scheme; each returns a Map from the position of a point to its new value.

export const VISIBLE = "visible", OCCLUDED = "occluded";
const SAMPLES = 24;  // of a curve between two points

/** Coordinates as they are stored: hundredths of a pixel. */
export const rounded = (value) => Math.round(value * 100) / 100;

export const at = ([x, y], state = VISIBLE) => [rounded(x), rounded(y), state];

export const same = (a, b) =>
  a === b || (Boolean(a) && Boolean(b) && a.length === b.length && a.every((it, i) => it === b[i]));

/** Only what differs from what is there. */
export function differing(points, changes) {
  return new Map([...changes].filter(([i, value]) => !same(points[i], value)));
}

export function movedBy(value, dx, dy) {
  return value && at([value[0] + dx, value[1] + dy], value[2] ?? VISIBLE);
}

/** Left and right points exchange their places. */
export function swappedSides(points, pairs) {
  const changes = new Map();
  for (const [a, b] of pairs) changes.set(a, points[b]).set(b, points[a]);
  return differing(points, changes);
}

/** A contour traced the other way round. A closed one can be turned round about any of its points:
 *  it is done so that its points come to lie nearest to where they are expected; where nothing is
 *  expected, the first one stays. */
export function reversed(points, contour, expected = []) {
  const chain = contour.points, length = chain.length;
  const turned = (last) => new Map(chain.map((point, i) =>
    [point, points[chain[(last - i + length) % length]]]));
  if (!contour.closed) return differing(points, turned(length - 1));
  let best = turned(0), least = distanceTo(expected, best);
  for (let last = 1; last < length; last++) {
    const other = turned(last), far = distanceTo(expected, other);
    if (far < least) [best, least] = [other, far];
  }
  return differing(points, best);
}

/** Sum of squared distances of points to where they are expected. */
export function distanceTo(expected, changes) {
  let sum = 0;
  for (const [i, value] of changes) {
    if (value && expected[i]) sum += distance(value, expected[i]) ** 2;
  }
  return sum;
}

/** Each point takes the place of the one `step` (1 or -1) further along its contour.
 *  At the end of an open contour the line is continued by its last stretch. */
export function shiftedByOne(points, contour, step) {
  const chain = contour.points, length = chain.length;
  const place = (i) => points[chain[i]];
  const source = (i) => {
    const next = i + step;
    if (contour.closed) return place((next + length) % length);
    if (next >= 0 && next < length) return place(next);
    const end = place(i), inner = place(i - step);
    if (!end || !inner) return null;
    return at([2 * end[0] - inner[0], 2 * end[1] - inner[1]], end[2]);
  };
  return differing(points, new Map(chain.map((point, i) => [point, source(i)])));
}

function betweenPoints(before, from, to, after, t) {
  // Catmull and Rom's spline (1974): a smooth curve through the points.
  const along = (k) => {
    const [p, a, b, q] = [before[k], from[k], to[k], after[k]];
    return 0.5 * (2 * a + (b - p) * t + (2 * p - 5 * a + 4 * b - q) * t * t
      + (3 * a - p - 3 * b + q) * t * t * t);
  };
  return [along(0), along(1)];
}

/** The curve from the neighbour before a point through it to the one after: places in order, and
 *  the position of the point itself among them. At an open end the line is continued. */
export function curveAround(points, contour, point) {
  const known = contour.points.filter((each) => points[each] || each === point);
  const at0 = known.indexOf(point), length = known.length;
  if (at0 < 0 || length < 3 || !points[point]) return null;
  const beyond = (end, inner) => [2 * end[0] - inner[0], 2 * end[1] - inner[1]];
  const place = (i) => {
    if (contour.closed) return points[known[((i % length) + length) % length]];
    if (i < 0) return beyond(points[known[0]], points[known[1]]);
    if (i >= length) return beyond(points[known[length - 1]], points[known[length - 2]]);
    return points[known[i]];
  };
  const curve = [];
  for (const start of [at0 - 1, at0]) {
    for (let s = 0; s < SAMPLES; s++) {
      const four = [start - 1, start, start + 1, start + 2].map(place);
      curve.push(betweenPoints(...four, s / SAMPLES));
    }
  }
  curve.push(place(at0 + 1).slice(0, 2));
  return { curve, middle: SAMPLES };
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

function nearestOnSegment(a, b, target) {
  const dx = b[0] - a[0], dy = b[1] - a[1], squared = dx * dx + dy * dy;
  const t = squared ? ((target[0] - a[0]) * dx + (target[1] - a[1]) * dy) / squared : 0;
  const held = Math.min(Math.max(t, 0), 1);
  return [a[0] + held * dx, a[1] + held * dy];
}

/** A point at the place of its contour that is nearest to `target`, between its neighbours. */
export function slidTo(points, contour, point, target) {
  const around = curveAround(points, contour, point);
  if (!around) return new Map();
  let best = points[point], least = Infinity;
  for (let i = 1; i < around.curve.length; i++) {
    const place = nearestOnSegment(around.curve[i - 1], around.curve[i], target);
    const far = distance(place, target);
    if (far < least) [best, least] = [place, far];
  }
  return differing(points, new Map([[point, at(best, points[point][2])]]));
}

/** A point further along its contour by a length; negative: back. */
export function slidBy(points, contour, point, length) {
  const around = curveAround(points, contour, point);
  if (!around) return new Map();
  const step = Math.sign(length);
  let here = points[point].slice(0, 2), left = Math.abs(length), i = around.middle;
  while (left > 0 && around.curve[i + step]) {
    const next = around.curve[i + step], far = distance(here, next);
    const part = far ? Math.min(left / far, 1) : 1;
    here = [here[0] + part * (next[0] - here[0]), here[1] + part * (next[1] - here[1])];
    left -= far * part;
    if (part === 1) i += step;
    else break;
  }
  return differing(points, new Map([[point, at(here, points[point][2])]]));
}

/** Turned by `angle` (radians, clockwise on the screen), scaled about `centre`, then moved. */
export function transformed(places, { dx = 0, dy = 0, angle = 0, scale = 1, centre = [0, 0] }) {
  const c = Math.cos(angle) * scale, s = Math.sin(angle) * scale;
  const changes = new Map();
  for (const [i, value] of places) {
    const x = value[0] - centre[0], y = value[1] - centre[1];
    const to = [c * x - s * y + centre[0] + dx, s * x + c * y + centre[1] + dy];
    changes.set(i, at(to, value[2] ?? VISIBLE));
  }
  return changes;
}

/** The similarity that maps `from` onto `to` best (least squares): a function of a place.
 *  Null with fewer than two pairs that differ. */
export function similarity(from, to) {
  if (from.length < 2) return null;
  const mean = (all, k) => all.reduce((sum, it) => sum + it[k], 0) / all.length;
  const [fx, fy, tx, ty] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let dot = 0, cross = 0, squares = 0;
  from.forEach((place, i) => {
    const [x, y, u, v] = [place[0] - fx, place[1] - fy, to[i][0] - tx, to[i][1] - ty];
    dot += x * u + y * v;
    cross += x * v - y * u;
    squares += x * x + y * y;
  });
  if (squares < 1e-12) return null;
  const [a, b] = [dot / squares, cross / squares];
  return ([x, y]) => [
    a * (x - fx) - b * (y - fy) + tx,
    b * (x - fx) + a * (y - fy) + ty,
  ];
}

/** Targets as another shape has them, once it lies on the points that are here.
 *  Without two of these it lies in the box, as it did in its own. */
export function filledFrom(points, shape, targets, box = null, shapeBox = null) {
  const shared = points.map((_, i) => i)
    .filter((i) => points[i] && shape[i] && !targets.includes(i));
  let map = similarity(shared.map((i) => shape[i]), shared.map((i) => points[i]));
  if (!map && box && shapeBox) {
    map = similarity([shapeBox.slice(0, 2), shapeBox.slice(2)], [box.slice(0, 2), box.slice(2)]);
  }
  if (!map) return new Map();
  const filled = targets.filter((i) => shape[i])
    .map((i) => [i, at(map(shape[i]), shape[i][2] ?? VISIBLE)]);
  return differing(points, new Map(filled));
}

/** Targets as mirror images of their partners. `picture`: an upright face, whose middle line is
 *  laid on this face by the points that both have. */
export function filledByMirror(points, pairs, picture, targets) {
  const partner = new Map(pairs.flatMap(([a, b]) => [[a, b], [b, a]]));
  const sources = targets.filter((i) => partner.has(i) && points[partner.get(i)]);
  const fixed = points.map((_, i) => i)
    .filter((i) => points[i] && picture[i] && !targets.includes(i));
  const map = similarity(fixed.map((i) => picture[i]), fixed.map((i) => points[i]));
  if (!map) return new Map();
  const middle = middleOf(picture, pairs);
  const [ax, ay] = map([middle, 0]), [bx, by] = map([middle, 1]);
  const length = Math.hypot(bx - ax, by - ay), nx = (by - ay) / length, ny = -(bx - ax) / length;
  const changes = new Map();
  for (const i of sources) {
    const [x, y, state] = points[partner.get(i)];
    const off = (x - ax) * nx + (y - ay) * ny;
    changes.set(i, at([x - 2 * off * nx, y - 2 * off * ny], state));
  }
  return differing(points, changes);
}

function middleOf(picture, pairs) {
  const known = pairs.filter(([a, b]) => picture[a] && picture[b]);
  if (!known.length) {
    const xs = picture.filter(Boolean).map((place) => place[0]);
    return (Math.min(...xs) + Math.max(...xs)) / 2;
  }
  return known.reduce((sum, [a, b]) => sum + (picture[a][0] + picture[b][0]) / 2, 0) / known.length;
}
