// Head pose, eyes and mouth: in words, as axes, and over the time of a clip.

const SVG = "http://www.w3.org/2000/svg";
export const LINE_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];  // Okabe and Ito, 2008
// Of the head's axes: to the subject's left, down, forward.
export const AXES = [["#EB2828", "left"], ["#28BE3C", "down"], ["#3C6EFF", "forward"]];
export const QUANTITIES = {
  eyes: { of: (face) => meanOf(face.measures.left_eye, face.measures.right_eye), unit: "", least: [0, 0.4] },
  mouth: { of: (face) => face.measures.mouth, unit: "", least: [0, 0.4] },
  yaw: { of: (face) => face.pose.yaw, unit: "°", least: [-20, 20] },
  pitch: { of: (face) => face.pose.pitch, unit: "°", least: [-20, 20] },
  roll: { of: (face) => face.pose.roll, unit: "°", least: [-20, 20] },
};
const MARGIN = { left: 44, right: 8, top: 8, bottom: 20 };

const isKnown = (value) => value !== null && value !== undefined;
const meanOf = (a, b) => (isKnown(a) && isKnown(b) ? (a + b) / 2 : isKnown(a) ? a : b);
const minus = (text) => text.replace("-", "\u2212");
const plain = (value, digits) => minus(value.toFixed(digits).replace(/^-(0(\.0+)?)$/, "$1"));
const signed = (value) => (value >= 0.005 ? `+${plain(value, 2)}` : plain(value, 2));

/** Lines of text about one face; what is not known is left out. */
export function describe(face) {
  if (!face.pose) return [];
  const { pose, measures } = face;
  const angles = ["yaw", "pitch", "roll"].filter((name) => isKnown(pose[name]))
    .map((name) => `${name} ${plain(pose[name], 0)} ± ${pose[`${name}_standard_error`].toFixed(0)}°`);
  const part = (text, value, format) => (isKnown(value) ? [`${text} ${format(value)}`] : []);
  const open = [
    ...part("left eye", measures.left_eye, (value) => plain(value, 2)),
    ...part("right eye", measures.right_eye, (value) => plain(value, 2)),
    ...part("mouth", measures.mouth, (value) => plain(value, 2)),
  ];
  const differences = ["eye", "brow", "mouth"].flatMap((name) => part(`${name}${name === "mouth" ? "" : "s"}`, measures[`${name}_asymmetry`], signed));
  return [
    angles.length ? angles.join(", ") : "no head pose: too few points are seen",
    ...(open.length ? [`open: ${open.join(", ")}`] : []),
    ...(differences.length ? [`left minus right: ${differences.join(", ")}`] : []),
  ];
}

/** Where the head's axes point in the image, of length 1 if they lie in it: left, down, forward. */
export function headAxes({ yaw, pitch, roll }) {
  const [y, p, r] = [yaw, pitch, roll].map((degrees) => degrees * Math.PI / 180);
  const { sin, cos } = Math;
  return [
    [cos(y) * cos(r) - sin(y) * sin(p) * sin(r), cos(p) * sin(r)],
    [-cos(y) * sin(r) - sin(y) * sin(p) * cos(r), cos(p) * cos(r)],
    [sin(y) * cos(p), sin(p)],
  ];
}

// Over time

const element = (name, attributes, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

export const tracksOf = (frames) => [...new Set(frames.flatMap((frame) => frame.faces.map((face) => face.track)))].sort((a, b) => a - b);

/** Draws one quantity of each face of a clip into `svg`; returns {toX, toFrame}: times to places, places to frames. */
export function drawPlot(svg, frames, blinks, name) {
  const { of, unit, least } = QUANTITIES[name];
  const width = Math.max(svg.clientWidth, 200), height = svg.clientHeight || 130;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const start = frames[0].seconds, end = Math.max(frames.at(-1).seconds, start + 0.04);
  const values = frames.flatMap((frame) => frame.faces.filter((face) => face.pose).map(of)).filter(isKnown);
  const low = Math.min(least[0], ...values), high = Math.max(least[1], ...values);
  const toX = (seconds) => MARGIN.left + (seconds - start) / (end - start) * (width - MARGIN.left - MARGIN.right);
  const toY = (value) => MARGIN.top + (high - value) / (high - low) * (height - MARGIN.top - MARGIN.bottom);
  const parts = [];
  if (name === "eyes") {
    for (const blink of blinks) {
      parts.push(element("rect", { class: "blink", x: toX(blink.start), y: MARGIN.top, width: Math.max(toX(blink.end) - toX(blink.start), 2), height: height - MARGIN.top - MARGIN.bottom }));
    }
  }
  for (const value of [low, (low + high) / 2, high]) {
    parts.push(element("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: toY(value), y2: toY(value) }));
    parts.push(element("text", { x: MARGIN.left - 4, y: toY(value) + 4, "text-anchor": "end" }, minus(unit ? `${value.toFixed(0)}${unit}` : value.toFixed(2))));
  }
  parts.push(element("text", { x: MARGIN.left, y: height - 4 }, `${start.toFixed(1)} s`));
  parts.push(element("text", { x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, `${end.toFixed(1)} s`));
  for (const [index, track] of tracksOf(frames).entries()) {
    parts.push(element("path", { class: "line", stroke: LINE_COLOURS[index % LINE_COLOURS.length], d: lineOf(frames, track, of, toX, toY) }));
  }
  parts.push(element("line", { class: "cursor", x1: MARGIN.left, x2: MARGIN.left, y1: MARGIN.top, y2: height - MARGIN.bottom }));
  svg.replaceChildren(...parts);
  const toFrame = (x) => nearestFrame(frames, start + (x - MARGIN.left) / (width - MARGIN.left - MARGIN.right) * (end - start));
  return { toX, toFrame };
}

/** A path with gaps where nothing is known. */
function lineOf(frames, track, of, toX, toY) {
  let path = "", isDown = false;
  for (const frame of frames) {
    const face = frame.faces.find((each) => each.track === track && each.pose), value = face ? of(face) : null;
    if (isKnown(value)) path += `${isDown ? "L" : "M"}${toX(frame.seconds).toFixed(1)} ${toY(value).toFixed(1)}`;
    isDown = isKnown(value);
  }
  return path;
}

/** The position of the frame whose time is nearest; frames are in the order of their times. */
export function nearestFrame(frames, seconds) {
  let low = 0, high = frames.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle].seconds < seconds) low = middle + 1;
    else high = middle;
  }
  return low > 0 && seconds - frames[low - 1].seconds < frames[low].seconds - seconds ? low - 1 : low;
}
