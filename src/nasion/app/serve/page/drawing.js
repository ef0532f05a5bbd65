// Draws an image with its faces on a canvas, and says what its colours and marks mean.

const PLASMA = [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]];  // low to high scores
// Colours that colour-blind people can tell apart (Okabe and Ito, 2008).
const PART_COLOURS = { jaw: "#56B4E9", brows: "#E69F00", eyes: "#009E73", nose: "#F0E442", mouth: "#CC79A7", other: "#D55E00" };
const VISIBLE = 0.5;  // the chance of being seen below which a point is hidden

// Below, `network` is what v1/network says (point names, edges, face parts), and `display` the user's choice:
// {colour: "score" or "part", labels: "none", "numbers" or "names", edges, hideOccluded}.

export const isHidden = (face, point) => Boolean(face.visible) && face.visible[point] < VISIBLE;
export const isShown = (face, point, display) => !(display.hideOccluded && isHidden(face, point));
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
  const items = [];
  if (display.colour === "part") {
    for (const part of new Set(network ? network.parts : [])) {
      const item = document.createElement("span"), dot = document.createElement("i");
      dot.style.background = PART_COLOURS[part];
      item.append(dot, ` ${part}`);
      items.push(item);
    }
  } else {
    const bar = document.createElement("i");
    bar.className = "ramp";
    bar.style.background = `linear-gradient(to right, ${PLASMA.map((c) => `rgb(${c.join(",")})`).join(",")})`;
    items.push("low score ", bar, " high score");
  }
  const isRing = (face) => face.points.some((_, point) => isHidden(face, point) && isShown(face, point, display));
  if (result?.faces.some(isRing)) {
    const item = document.createElement("span"), ring = document.createElement("i");
    ring.className = "ring";
    item.append(ring, " hidden");
    items.push(item);
  }
  return items;
}

// Faces

/** `highlighted`: {face, point} to draw larger, or null. */
export function drawResult(context, result, network, display, scale, highlighted) {
  context.drawImage(result.bitmap, 0, 0, result.width * scale, result.height * scale);
  for (const [index, face] of result.faces.entries()) {
    const point = highlighted && highlighted.face === index ? highlighted.point : null;
    drawFace(context, face, network, display, scale, point);
  }
}

function drawFace(context, face, network, display, scale, highlighted) {
  const side = Math.max(face.box[2] - face.box[0], face.box[3] - face.box[1]) * scale;
  const radius = Math.max(side / 90, 1.8);
  if (display.edges) drawEdges(context, face, network, display, scale, radius);
  // Hidden points first, so that none covers a visible one.
  const order = [...face.points.keys()].sort((a, b) => isHidden(face, b) - isHidden(face, a));
  for (const point of order) {
    if (!isShown(face, point, display)) continue;
    const [x, y] = toCanvas(face.points[point], scale);
    const draw = isHidden(face, point) ? drawRing : drawDot;
    draw(context, x, y, radius, pointColour(face, point, network, display), point === highlighted);
    if (display.labels === "none") continue;
    context.font = `${Math.max(side / (display.labels === "numbers" ? 40 : 55), 9)}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineWidth = 2.5;
    context.strokeStyle = "#000";
    const text = display.labels === "numbers" ? String(point) : network.point_names[point];
    context.strokeText(text, x + 1.6 * radius, y);
    context.fillStyle = "#fff";
    context.fillText(text, x + 1.6 * radius, y);
  }
}

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
