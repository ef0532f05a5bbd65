// How points look. What a point is shows by shape and colour: a disc is visible, a square occluded,
// a ring or an empty square proposed. All have a light and a dark outline, so that they show on any skin.

// Colours that colour-blind people can tell apart (Okabe and Ito, 2008).
const COLOURS = [
  "#56b4e9", "#e69f00", "#2fbf8f", "#f0e442", "#dd8fbc", "#ff7a3c", "#9ad0ff", "#ffffff",
];
const DARK = "rgba(8, 12, 20, 0.95)", LIGHT = "rgba(255, 255, 255, 0.95)";

export const colourOf = (part) => COLOURS[part % COLOURS.length];

/** The part that each point is in, by the point's position. */
export function partOfPoints(scheme) {
  const found = new Array(scheme.points.length).fill(scheme.parts.length - 1);
  scheme.parts.forEach((part, p) => part.points.forEach((i) => { found[i] = p; }));
  return found;
}

function trace(context, state, x, y, r) {
  context.beginPath();
  if (state === "occluded" || state === "proposed occluded") context.rect(x - r, y - r, 2 * r, 2 * r);
  else if (state === "predicted") {
    context.moveTo(x, y - r * 1.3);
    context.lineTo(x + r * 1.3, y);
    context.lineTo(x, y + r * 1.3);
    context.lineTo(x - r * 1.3, y);
    context.closePath();
  } else context.arc(x, y, r, 0, 2 * Math.PI);
}

export function paintMark(context, state, [x, y], r, colour) {
  const isHollow = ["proposed", "proposed occluded", "predicted"].includes(state);
  const thin = Math.min(1, r / 4);  // outlines of small points
  trace(context, state, x, y, isHollow ? r + 0.8 : r);
  context.lineWidth = 4 * thin;
  context.strokeStyle = isHollow ? DARK : LIGHT;
  context.stroke();
  context.lineWidth = (isHollow ? 2 : 1.6) * thin;
  context.strokeStyle = isHollow ? colour : DARK;
  if (!isHollow) {
    context.fillStyle = colour;
    context.fill();
  }
  context.stroke();
  if (state === "occluded") {
    context.beginPath();
    context.moveTo(x - r, y + r);
    context.lineTo(x + r, y - r);
    context.stroke();
  }
}

export function paintLine(context, from, to, isSure) {
  context.setLineDash(isSure ? [] : [4, 4]);
  for (const [width, colour] of [[3, "rgba(8,12,20,0.45)"], [1.2, "rgba(255,255,255,0.85)"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
  context.setLineDash([]);
}

/** Four corners around the selected point. */
export function paintSelection(context, [x, y], r) {
  const d = r + 5, s = Math.max(4, d / 2);
  for (const [width, colour] of [[4.5, DARK], [2, "#ffe45c"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    for (const [u, v] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) {
      context.moveTo(x + u * d, y + v * (d - s));
      context.lineTo(x + u * d, y + v * d);
      context.lineTo(x + u * (d - s), y + v * d);
    }
    context.stroke();
  }
}

/** A dotted ring around points of a suspected fault, or of the selected part. */
export function paintRing(context, [x, y], r, colour) {
  for (const [width, shade] of [[3.5, DARK], [1.6, colour]]) {
    context.lineWidth = width;
    context.strokeStyle = shade;
    context.setLineDash([2.5, 2.5]);
    context.beginPath();
    context.arc(x, y, r + 4, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}

export function paintCrosshair(context, [x, y], size = 18) {
  for (const [width, colour] of [[4, DARK], [1.5, "#ffe45c"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    for (const [u, v] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + u * 4, y + v * 4);
      context.lineTo(x + u * size, y + v * size);
    }
    context.stroke();
  }
}

export function paintText(context, text, [x, y], size = 13) {
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = DARK;
  context.strokeText(text, x, y);
  context.fillStyle = "#ffffff";
  context.fillText(text, x, y);
}

export function paintBox(context, [x0, y0], [x1, y1], colour, { isDashed = false } = {}) {
  for (const [width, shade] of [[4, DARK], [2, colour]]) {
    context.lineWidth = width;
    context.strokeStyle = shade;
    context.setLineDash(isDashed ? [7, 5] : []);
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  context.setLineDash([]);
}

export function paintHandle(context, [x, y], r, isRound) {
  context.beginPath();
  if (isRound) context.arc(x, y, r, 0, 2 * Math.PI);
  else context.rect(x - r, y - r, 2 * r, 2 * r);
  context.lineWidth = 4;
  context.strokeStyle = DARK;
  context.stroke();
  context.fillStyle = "#ffe45c";
  context.fill();
}
