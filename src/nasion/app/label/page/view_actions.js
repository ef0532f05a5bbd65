// Zooming and panning by keys and buttons.

import { boxAround, grown } from "./view.js";

const POINT_SCALE = 8, EDGE = 32;  // screen pixels an image pixel; from the stage's edge

export class ViewActions {
  constructor(app) {
    this.app = app;
  }

  get #size() {
    return this.app.drawing.size;
  }

  #changed() {
    this.app.shape.update();
    this.app.drawing.request();
    this.app.onview?.();
  }

  changed() {
    this.#changed();
  }

  middle() {
    const [width, height] = this.#size;
    return this.app.view.toImage([width / 2, height / 2]);
  }

  zoomFace() {
    const { labelling, drawing } = this.app, { doc } = labelling;
    if (!drawing.shown) return;
    const places = labelling.names.map((_, i) => doc.placeOf(i)).filter(Boolean);
    const box = doc.box, corners = box ? [box.slice(0, 2), box.slice(2)] : [];
    const around = boxAround([...places, ...corners]);
    if (around) this.app.view.fit(grown(around, 0.12), this.#size, 0.03);
    else this.zoomImage();
    this.#changed();
  }

  zoomImage() {
    const { shown } = this.app.drawing;
    if (!shown) return;
    this.app.view.fit([-0.5, -0.5, shown.width - 0.5, shown.height - 0.5], this.#size, 0.02);
    this.#changed();
  }

  zoomPoint() {
    const { labelling, tools, view } = this.app;
    const place = labelling.current >= 0 && labelling.placeOf(labelling.current);
    view.centre(place || tools.crosshair || this.middle(), this.#size, POINT_SCALE);
    this.#changed();
  }

  zoom(factor) {
    const [width, height] = this.#size;
    this.app.view.zoomAt([width / 2, height / 2], factor);
    this.#changed();
  }

  pan(dx, dy) {
    this.app.view.panBy(dx, dy);
    this.#changed();
  }

  /** Moves the view as far as it takes to show a place. */
  reveal(place) {
    if (!place) return;
    const [x, y] = this.app.view.toStage(place), [width, height] = this.#size;
    const by = (value, most) =>
      value < EDGE ? EDGE - value : value > most - EDGE ? most - EDGE - value : 0;
    const dx = by(x, width), dy = by(y, height);
    if (dx || dy) this.pan(dx, dy);
  }
}
