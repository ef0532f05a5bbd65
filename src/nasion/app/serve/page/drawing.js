// Draws an image with its faces on a canvas, and says what its colours and marks mean.

import { AXES, headAxes } from "./measures.js";

const PLASMA = [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]];  // low to high scores
// Colours that colour-blind people can tell apart (Okabe and Ito, 2008).
const PART_COLOURS = { jaw: "#56B4E9", brows: "#E69F00", eyes: "#009E73", nose: "#F0E442", mouth: "#CC79A7", other: "#D55E00" };
const VISIBLE = 0.5;  // the chance of being seen below which a point is hidden

// Below, `network` is what v1/network says (point names, edges, face parts), and `display` the user's choice:
// {points, edges, filled, boxes, captions, axes, hideOccluded (booleans), marks (times the usual size), colour: "score" or
// "part", labels: "none", "numbers" or "names"}.

export const isHidden = (face, point) => Boolean(face.visible) && face.visible[point] < VISIBLE;
export const isShown = (face, point, display) => face.points[point][0] !== null && !(display.hideOccluded && isHidden(face, point));
/** Points count from the centre of the first pixel, canvases from its corner. */
export const toCanvas = ([x, y], scale) => [(x + 0.5) * scale, (y + 0.5) * scale];

// Colours

function scoreColour(score) {
  const position = Math.min(Math.max(score, 0), 1) * (PLASMA.length - 1);
  const low = Math.min(Math.floor(position), PLASMA.length - 2);
  const mix = (value, i) => Math.round(value + (position - low) * (PLASMA[low + 1][i] - value));
  return `rgb(${PLASMA[low].map(mix).join(",")})`;
}

function pointColour(face, point, network, display) {
  if (display.colour === "part") return PART_COLOURS[network.parts[point]];
  return scoreColour(face.scores ? face.scores[point] : 1);
}

/** The legend's elements and texts; `network` and `result` may be null. */
export function legendItems(result, network, display) {
  const items = [], add = (mark, text) => {
    const item = document.createElement("span");
    item.append(mark, ` ${text}`);
    items.push(item);
  };
  if (display.colour === "part" || (display.filled && !display.points)) {
    for (const part of new Set(network ? network.parts : [])) add(dot(PART_COLOURS[part]), part);
  } else if (display.points) {
    const bar = document.createElement("i");
    bar.className = "ramp";
    bar.style.background = `linear-gradient(to right, ${PLASMA.map((c) => `rgb(${c.join(",")})`).join(",")})`;
    items.push("low score ", bar, " high score");
  }
  const isRing = (face) => face.points.some((_, point) => isHidden(face, point) && isShown(face, point, display));
  if (display.points && result?.faces.some(isRing)) {
    const ring = document.createElement("i");
    ring.className = "ring";
    add(ring, "hidden");
  }
  if (display.axes && result?.faces.some((face) => face.pose)) {
    for (const [colour, direction] of AXES) add(dot(colour), direction === "left" ? "to the face's left" : direction);
  }
  return items;
}

function dot(colour) {
  const mark = document.createElement("i");
  mark.style.background = colour;
  return mark;
}

// Faces

/** `highlighted`: {face, point} to draw larger, or null. */
export function drawResult(context, result, network, display, scale, highlighted) {
  context.drawImage(result.bitmap, 0, 0, result.width * scale, result.height * scale);
  const taken = [];  // by texts, so that none lies on another
  for (const [index, face] of result.faces.entries()) {
    const point = highlighted && highlighted.face === index ? highlighted.point : null;
    drawFace(context, face, network, display, scale, point);
  }
  for (const [index, face] of result.faces.entries()) {
    if (display.boxes) drawBox(context, face, scale);
    if (display.captions) drawCaption(context, face, index, scale, taken);
  }
  if (display.labels === "none") return;
  for (const face of result.faces) taken.push(...markAreas(face, display, scale));
  for (const face of result.faces) drawLabels(context, face, network, display, scale, taken);
}

const sideOf = (face, scale) => Math.max(face.box[2] - face.box[0], face.box[3] - face.box[1]) * scale;
const radiusOf = (face, display, scale) => Math.max(sideOf(face, scale) / 90, 1.8) * display.marks;

function drawFace(context, face, network, display, scale, highlighted) {
  const radius = radiusOf(face, display, scale);
  if (display.filled) fillParts(context, face, network, display, scale);
  if (display.edges) drawEdges(context, face, network, display, scale, radius);
  // Hidden points first, so that none covers a visible one.
  const order = [...face.points.keys()].sort((a, b) => isHidden(face, b) - isHidden(face, a));
  for (const point of order) {
    if (!isShown(face, point, display) || !(display.points || point === highlighted)) continue;
    const [x, y] = toCanvas(face.points[point], scale);
    const draw = isHidden(face, point) ? drawRing : drawDot;
    draw(context, x, y, radius, pointColour(face, point, network, display), point === highlighted);
  }
  if (display.axes && face.pose) drawAxes(context, face, network, scale);
}

// Texts

function drawText(context, text, x, y, size) {
  context.font = `${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = Math.max(size / 4.5, 2.5);
  context.strokeStyle = "#000";
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

const overlaps = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Draws a text at the first of these places, of its left middle, where no other is; returns the place, null for none. */
function drawWhereFree(context, text, places, size, taken) {
  context.font = `${size}px system-ui, sans-serif`;
  const width = context.measureText(text).width;
  for (const place of places) {
    const [x, y, align] = place;
    const left = x - align * width;
    const area = [left - 1, y - size * 0.55, left + width + 1, y + size * 0.55];
    if (area[0] < 0 || area[2] > context.canvas.width || taken.some((other) => overlaps(area, other))) continue;
    taken.push(area);
    drawText(context, text, left, y, size);
    return place;
  }
  return null;
}

function markAreas(face, display, scale) {
  const radius = display.points ? radiusOf(face, display, scale) : 0;
  const shown = [...face.points.keys()].filter((point) => isShown(face, point, display));
  return shown.map((point) => {
    const [x, y] = toCanvas(face.points[point], scale);
    return [x - radius, y - radius, x + radius, y + radius];
  });
}

function drawLabels(context, face, network, display, scale, taken) {
  const side = sideOf(face, scale), radius = radiusOf(face, display, scale);
  const size = Math.max(side / (display.labels === "numbers" ? 40 : 55), 9);
  for (const point of face.points.keys()) {
    if (!isShown(face, point, display)) continue;
    const [x, y] = toCanvas(face.points[point], scale);
    const places = [0, 1, 2, 3].flatMap((step) => placesAround(x, y, 1.6 * radius + step * size, size));
    const text = display.labels === "numbers" ? String(point) : network.point_names[point];
    const place = drawWhereFree(context, text, places, size, taken);
    if (place && places.indexOf(place) >= 8) drawLine(context, x, y, place[0], place[1]);
  }
}

/** Eight places of a text beside, above and below a point: [x, y, align] of its left, middle or right. */
function placesAround(x, y, gap, size) {
  const beside = [[x + gap, y, 0], [x - gap, y, 1]];
  const level = [y - gap - size / 2, y + gap + size / 2];
  return [...beside, ...level.flatMap((at) => [[x, at, 0.5], [x, at, 0], [x, at, 1]])];
}

function drawLine(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  for (const [colour, width] of [["#000", 2.5], ["#fff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

function drawCaption(context, face, index, scale, taken) {
  const side = sideOf(face, scale), size = Math.min(Math.max(side / 12, 11), 28);
  const text = `${face.track || index + 1}: ${face.score.toFixed(2)}`;
  const [left, top] = toCanvas(face.box, scale), [right, bottom] = toCanvas(face.box.slice(2), scale);
  const above = Math.max(top - size * 0.8, size * 0.6), below = Math.min(bottom + size * 0.8, context.canvas.height - size * 0.6);
  drawWhereFree(context, text, [[left, above, 0], [right, above, 1], [left, below, 0], [right, below, 1], [left, top + size, 0]], size, taken);
}

function drawBox(context, face, scale) {
  const [x0, y0] = toCanvas(face.box, scale), [x1, y1] = toCanvas(face.box.slice(2), scale);
  const width = Math.max(sideOf(face, scale) / 130, 1.2);
  for (const [colour, line] of [["#000", width + 1.5], ["#fff", width]]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

// Head pose

function drawAxes(context, face, network, scale) {
  const { yaw, pitch, roll } = face.pose;
  if (yaw === null || pitch === null || roll === null) return;
  // From the tip of the nose, as in drawn files.
  const tip = face.points[network.point_names.indexOf("nose_tip")];
  const start = tip && tip[0] !== null ? tip : [(face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2];
  const [x, y] = toCanvas(start, scale), length = 0.5 * sideOf(face, scale), width = Math.max(length / 22, 2);
  for (const [axis, [right, down]] of headAxes(face.pose).entries()) {
    for (const [colour, line] of [["#000", width + 2], [AXES[axis][0], width]]) {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + length * right, y + length * down);
      context.lineCap = "round";
      context.lineWidth = line;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}

// Filled parts

const shapesOf = new WeakMap();  // by network

/** The points of what is filled: each set of points of one part that lines connect. */
function filledShapes(network) {
  if (!shapesOf.has(network)) shapesOf.set(network, findShapes(network));
  return shapesOf.get(network);
}

function findShapes({ edges, parts }) {
  const next = new Map();
  for (const [a, b] of edges) {
    if (parts[a] !== parts[b]) continue;
    for (const [from, to] of [[a, b], [b, a]]) next.set(from, [...(next.get(from) || []), to]);
  }
  // The nose's lines are open, and only together an area.
  const nose = [...next.keys()].filter((point) => parts[point] === "nose");
  const shapes = nose.length > 2 ? [{ part: "nose", points: nose, isClosed: false }] : [], seen = new Set(nose);
  for (const start of next.keys()) {
    if (seen.has(start)) continue;
    const points = [start];
    seen.add(start);
    // Each goes on where the last ended, so a closed contour comes in its order.
    for (let at = start; at !== undefined;) {
      at = next.get(at).find((to) => !seen.has(to));
      if (at === undefined) at = points.flatMap((point) => next.get(point)).find((to) => !seen.has(to));
      if (at !== undefined) { points.push(at); seen.add(at); }
    }
    const isClosed = points.every((point) => next.get(point).length === 2);
    if (points.length > 2) shapes.push({ part: parts[start], points, isClosed });
  }
  return shapes;
}

function fillParts(context, face, network, display, scale) {
  const shown = (point) => face.points[point][0] !== null && isShown(face, point, display);
  const fill = (corners, colour, alpha) => {
    if (corners.length < 3) return;
    context.beginPath();
    corners.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = 1;
  };
  const all = [...face.points.keys()].filter(shown).map((point) => toCanvas(face.points[point], scale));
  fill(convexHull(all), PART_COLOURS.jaw, 0.25);
  for (const { part, points, isClosed } of filledShapes(network)) {
    if (part === "jaw") continue;
    const corners = points.filter(shown).map((point) => toCanvas(face.points[point], scale));
    fill(isClosed ? corners : convexHull(corners), PART_COLOURS[part], 0.55);
  }
}

/** The corners of the hull in order (Andrew's monotone chain, 1979). */
function convexHull(points) {
  const ordered = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  const half = (chain) => {
    const kept = [];
    for (const point of chain) {
      while (kept.length > 1 && turn(kept.at(-2), kept.at(-1), point) <= 0) kept.pop();
      kept.push(point);
    }
    return kept.slice(0, -1);
  };
  return [...half(ordered), ...half([...ordered].reverse())];
}

// Lines and marks

function drawEdges(context, face, network, display, scale, radius) {
  context.save();
  leaveOutRings(context, face, display, scale, radius);
  for (const thin of [true, false]) {
    context.lineWidth = Math.max(radius / (thin ? 4 : 2), thin ? 0.7 : 1);
    context.strokeStyle = `rgba(255,255,255,${thin ? 0.45 : 0.65})`;
    context.beginPath();
    for (const [a, b] of network.edges) {
      if (!isShown(face, a, display) || !isShown(face, b, display)) continue;
      if ((isHidden(face, a) || isHidden(face, b)) !== thin) continue;
      context.moveTo(...toCanvas(face.points[a], scale));
      context.lineTo(...toCanvas(face.points[b], scale));
    }
    context.stroke();
  }
  context.restore();
}

/** Keeps lines that are drawn later out of the rings of hidden points. */
function leaveOutRings(context, face, display, scale, radius) {
  for (const point of face.points.keys()) {
    if (!isHidden(face, point) || !isShown(face, point, display)) continue;
    context.beginPath();
    context.rect(0, 0, context.canvas.width, context.canvas.height);
    context.arc(...toCanvas(face.points[point], scale), radius, 0, 2 * Math.PI);
    context.clip("evenodd");
  }
}

function drawDot(context, x, y, radius, colour, isSelected) {
  context.beginPath();
  context.arc(x, y, isSelected ? radius * 2.2 : radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = isSelected ? 3 : Math.max(radius / 4, 0.7);
  context.strokeStyle = isSelected ? "#fff" : "#000";
  context.stroke();
}

/** A hollow mark: the image is seen within it. */
function drawRing(context, x, y, radius, colour, isSelected) {
  const reach = isSelected ? radius * 2.2 : radius * 1.05;
  context.beginPath();
  context.arc(x, y, reach, 0, 2 * Math.PI);
  context.lineWidth = Math.max(0.9 * radius, 1.8);
  context.strokeStyle = isSelected ? "#fff" : "#000";
  context.stroke();
  context.lineWidth = Math.max(0.5 * radius, 1);
  context.strokeStyle = colour;
  context.stroke();
}
