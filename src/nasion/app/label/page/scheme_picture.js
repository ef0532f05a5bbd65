// The scheme drawn on a mean face: where each point belongs. A click selects it.

import { byId, readable } from "./dom.js";
import { colourOf, partOfPoints } from "./marks.js";
import { View, boxAround } from "./view.js";

const REACH = 14;  // CSS pixels
const NAME = 16;  // CSS pixels below the picture
const SIDE = 1000;  // of the picture, whose own units are faces

export class SchemePicture {
  constructor(app) {
    this.app = app;
    this.canvas = byId("scheme-picture");
    this.canvas.addEventListener("click", (event) => this.#clicked(event));
    app.labelling.on("face points selection", () => this.#later());
    new ResizeObserver(() => this.#later()).observe(this.canvas);
    this.view = new View();
  }

  useScheme(scheme) {
    this.scheme = scheme;
    this.part = partOfPoints(scheme);
    this.places = scheme.picture.map((place) => place?.map((value) => SIDE * value));
    this.around = boxAround(this.places);
  }

  #later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#paint();
    });
  }

  #paint() {
    const { canvas, scheme, places, view } = this, { labelling } = this.app;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!scheme || !this.around || !width) return;
    const ratio = devicePixelRatio || 1, style = getComputedStyle(canvas);
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    view.fit(this.around, [width, height - NAME], 0.05);
    context.strokeStyle = style.getPropertyValue("--line");
    for (const [a, b] of scheme.edges) {
      if (!places[a] || !places[b]) continue;
      context.beginPath();
      context.moveTo(...view.toStage(places[a]));
      context.lineTo(...view.toStage(places[b]));
      context.stroke();
    }
    const ink = style.getPropertyValue("--ink");
    places.forEach((place, i) => {
      if (!place) return;
      const hasPlace = labelling.doc && labelling.placeOf(i);
      const isMissing = labelling.doc?.isMissing(i);
      this.#dot(context, view.toStage(place), i, hasPlace || isMissing, ink);
    });
    this.#name(context, labelling.current, ink, [width, height]);
  }

  #dot(context, [x, y], i, isSettled, ink) {
    const isCurrent = i === this.app.labelling.current;
    context.beginPath();
    context.arc(x, y, isCurrent ? 6 : 3.5, 0, 2 * Math.PI);
    context.lineWidth = isCurrent ? 3 : 1.5;
    context.strokeStyle = ink;
    context.fillStyle = colourOf(this.part[i]);
    if (isSettled) context.fill();
    context.stroke();
  }

  #name(context, current, ink, [width, height]) {
    if (current < 0) return;
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillStyle = ink;
    const text = `${current} ${readable(this.scheme.points[current])}`;
    context.fillText(text, width / 2, height - NAME / 3, width);
  }

  #clicked(event) {
    const frame = this.canvas.getBoundingClientRect();
    const place = [event.clientX - frame.left, event.clientY - frame.top];
    let best = -1, least = REACH;
    this.places.forEach((known, i) => {
      if (!known) return;
      const [x, y] = this.view.toStage(known);
      const far = Math.hypot(x - place[0], y - place[1]);
      if (far < least) [best, least] = [i, far];
    });
    if (best >= 0) this.app.points.select(best);
  }
}
