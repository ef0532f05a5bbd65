// A face that is labelled whole, to look up where points belong.

import { get } from "./api.js";
import { paintFace } from "./conflict.js";
import { byId } from "./dom.js";
import { boxAround } from "./view.js";

export class Reference {
  #face = null;

  constructor(app) {
    this.app = app;
    byId("reference-section").addEventListener("toggle", () => this.show());
    app.labelling.on("selection", () => this.show());
  }

  /** {face, image, points}; null without one. */
  async load() {
    this.#face ??= await get("reference").catch(() => null);
    return this.#face;
  }

  async show() {
    if (!byId("reference-section").open) return;
    const face = await this.load(), canvas = byId("reference");
    canvas.hidden = !face;
    byId("reference-name").textContent = face ? face.face
      : "There is none yet: finish a face with all its points.";
    if (!face) return;
    const image = await this.app.images.load(face.image).catch(() => null);
    const { current } = this.app.labelling;
    const marked = current >= 0 ? [current] : [];
    paintFace(canvas, image, face.points, marked, boxAround(face.points), "#ffe45c");
  }
}
