// The face on the screen: the image on one canvas, points on another, so that a drag paints points
// only.

import { readable } from "./dom.js";
import {
  colourOf, paintBox, paintCrosshair, paintHandle, paintLine, paintMark, paintRing, paintSelection,
  paintText, partOfPoints,
} from "./marks.js";

const PREDICTED = "#ff5d8f";

export class Drawing {
  #dirty = { image: false, points: false };
  #frame = 0;

  /** `tools`: mode, pointer, crosshair and drafts of what the pointer does. */
  constructor({ stage, image, points, view, labelling, tools, settings }) {
    Object.assign(this, { stage, view, labelling, tools, settings });
    this.layers = { image, points };
    this.size = [1, 1];
    this.shown = null;  // the decoded image
    this.others = [];  // further faces of the image: {face, box, points}
    new ResizeObserver(() => this.resize()).observe(stage);
  }

  resize() {
    const before = this.size;
    this.size = [this.stage.clientWidth, this.stage.clientHeight];
    const ratio = this.ratio = devicePixelRatio || 1;
    for (const canvas of Object.values(this.layers)) {
      canvas.width = Math.round(this.size[0] * ratio);
      canvas.height = Math.round(this.size[1] * ratio);
    }
    this.onresize?.(before, this.size);
    this.paint();
  }

  useScheme(scheme) {
    this.scheme = scheme;
    this.part = partOfPoints(scheme);
  }

  /** Paints before the next frame. */
  request(layer = "both") {
    this.#dirty.image ||= layer !== "points";
    this.#dirty.points = true;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.paint(this.#dirty.image);
    });
  }

  paint(withImage = true) {
    if (withImage) this.#paintImage();
    this.#paintPoints();
    this.#dirty = { image: false, points: false };
    this.onpaint?.();
  }

  #context(layer) {
    const context = this.layers[layer].getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, ...this.size);
    return context;
  }

  #paintImage() {
    const context = this.#context("image");
    if (!this.shown) return;
    const { bitmap, width, height } = this.shown, { view } = this;
    context.imageSmoothingEnabled = !(this.settings.pixels && view.scale > 2);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, view.x, view.y, width * view.scale, height * view.scale);
  }

  /** Radius of a point on the screen: smaller where the face is small. */
  get radius() {
    const box = this.labelling.doc?.box;
    const side = box ? Math.max(box[2] - box[0], box[3] - box[1]) * this.view.scale : 400;
    return Math.min(Math.max(side / 70, 1.5), 5) * this.settings.pointSize;
  }

  #paintPoints() {
    const context = this.#context("points");
    const { doc } = this.labelling;
    if (!doc || !this.shown) return;
    if (!this.tools.isHidden) {
      for (const other of this.others) this.#paintOther(context, other);
      this.#paintFaceBox(context, doc);
      if (this.settings.lines) this.paintLines(context, this.view);
      this.paintFacePoints(context, this.view);
    }
    this.#paintTools(context);
  }

  paintLines(context, view) {
    const { labelling } = this;
    for (const [a, b] of this.scheme.edges) {
      const from = labelling.placeOf(a), to = labelling.placeOf(b);
      if (!from || !to) continue;
      const isSure = !labelling.doc.isHollow(a) && !labelling.doc.isHollow(b);
      paintLine(context, view.toStage(from), view.toStage(to), isSure);
    }
  }

  paintFacePoints(context, view, radius = this.radius) {
    const { labelling } = this, { current, several } = labelling;
    this.#paintSuspect(context, view, radius);
    const isPart = several.size <= this.scheme.points.length / 2;
    for (let i = 0; i < this.scheme.points.length; i++) {
      const place = labelling.placeOf(i);
      if (!place || i === current) continue;
      if (isPart && several.has(i)) paintRing(context, view.toStage(place), radius, "#ffe45c");
      this.#paintPoint(context, view, i, place, radius);
    }
    const place = current >= 0 && labelling.placeOf(current);
    if (place) {
      paintSelection(context, view.toStage(place), radius);
      this.#paintPoint(context, view, current, place, radius);
    }
    if (!this.tools.isDragging) this.#paintNames(context, view, radius, place ? current : -1);
  }

  /** The selected point's name, or all that have room; closer up, more have. */
  #paintNames(context, view, radius, current) {
    const { labelling } = this, taken = [];
    const all = this.settings.names ? [...labelling.names.keys()].filter((i) => i !== current) : [];
    for (const i of current >= 0 ? [current, ...all] : all) {
      const place = labelling.placeOf(i);
      if (!place) continue;
      const [x, y] = view.toStage(place), size = i === current ? 13 : 11;
      const text = readable(labelling.names[i]);
      const at = i === current ? [x + radius + 10, y - radius - 6] : [x + radius + 4, y + 4];
      const box = [at[0], at[1] - size, at[0] + 0.62 * size * text.length, at[1] + 4];
      if (taken.some((it) => overlap(it, box))) continue;
      taken.push(box);
      paintText(context, text, at, size);
    }
  }

  #paintPoint(context, view, i, place, radius) {
    const { doc, preview } = this.labelling;
    const state = preview.has(i) ? place[2] : doc.stateOf(i);
    paintMark(context, state, view.toStage(place), radius, colourOf(this.part[i]));
  }

  /** What the network says instead of suspected labels that nobody has changed yet. */
  #paintSuspect(context, view, radius) {
    const { doc } = this.labelling, { suspect } = doc;
    if (!suspect) return;
    const isWhole = suspect.points.length > doc.names.length / 2;
    suspect.points.forEach((i, k) => {
      const predicted = suspect.predicted?.[k];
      if (!predicted || doc.touched[i] || !doc.points[i]) return;
      if (!isWhole) paintLine(context, view.toStage(doc.points[i]), view.toStage(predicted), false);
      paintMark(context, "predicted", view.toStage(predicted), radius, PREDICTED);
    });
  }

  #paintFaceBox(context, doc) {
    const box = this.tools.boxDraft ?? doc.box;
    if (!box) return;
    const isEdited = this.tools.mode === "box";
    if (!isEdited && !this.settings.boxes && !(doc.is_new && !doc.labelled)) return;
    const from = this.view.toStage(box.slice(0, 2)), to = this.view.toStage(box.slice(2));
    paintBox(context, from, to, "#ffe45c", { isDashed: doc.is_new });
    if (!isEdited) return;
    for (const corner of corners(from, to)) paintHandle(context, corner, 6, false);
  }

  #paintOther(context, { box, points, label }) {
    context.globalAlpha = 0.75;
    if (box) {
      const from = this.view.toStage(box.slice(0, 2)), to = this.view.toStage(box.slice(2));
      paintBox(context, from, to, "#c8d2e0", { isDashed: true });
      paintText(context, label, [from[0] + 4, from[1] + 14], 11);
    }
    for (const place of points) {
      if (!place) continue;
      const [x, y] = this.view.toStage(place);
      context.fillStyle = "rgba(8,12,20,0.9)";
      context.fillRect(x - 2, y - 2, 4, 4);
      context.fillStyle = "#c8d2e0";
      context.fillRect(x - 1.2, y - 1.2, 2.4, 2.4);
    }
    context.globalAlpha = 1;
  }

  #paintTools(context) {
    const { tools } = this;
    if (tools.crosshair) paintCrosshair(context, this.view.toStage(tools.crosshair));
    if (tools.mode === "shape" && tools.frame) this.#paintFrame(context, tools.frame);
  }

  #paintFrame(context, { box, handles }) {
    const from = this.view.toStage(box.slice(0, 2)), to = this.view.toStage(box.slice(2));
    paintBox(context, from, to, "#ffe45c", { isDashed: true });
    for (const { at, kind } of handles) {
      paintHandle(context, this.view.toStage(at), 7, kind === "turn");
      if (kind !== "turn") continue;
      const [x, y] = this.view.toStage(at);
      paintText(context, "turn", [x + 12, y + 4], 12);
    }
  }
}

export const corners = ([x0, y0], [x1, y1]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];

const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
