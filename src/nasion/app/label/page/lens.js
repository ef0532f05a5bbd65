// The magnifier: what is under the pointer or finger, enlarged, with the point in its middle.

import { View } from "./view.js";
import { paintCrosshair } from "./marks.js";

const SIDE = 168;  // CSS pixels
const TIMES = 4, LEAST_SCALE = 4;  // the view's scale; screen pixels an image pixel
const ABOVE = 120;  // pixels from a finger to the middle of the lens

export class Lens {
  constructor(canvas, drawing) {
    this.canvas = canvas;
    this.drawing = drawing;
    this.view = new View();
  }

  hide() {
    this.canvas.hidden = true;
  }

  /** `place`: of the image, in the middle. `finger`: of the stage; the lens stays away from it. */
  show(place, finger, isTouch) {
    const { canvas, drawing, view } = this;
    if (!drawing.shown) return;
    canvas.hidden = false;
    const ratio = drawing.ratio ?? 1;
    canvas.width = canvas.height = Math.round(SIDE * ratio);
    const [width, height] = drawing.size;
    const away = isTouch ? ABOVE : SIDE / 2 + 28;
    const isNearTop = finger[1] - away < SIDE / 2;
    const beside = finger[0] > width / 2 ? -away : away;
    const x = Math.min(Math.max(finger[0] + (isNearTop ? beside : 0), SIDE / 2), width - SIDE / 2);
    const y = isNearTop ? Math.min(finger[1] + SIDE / 2, height - SIDE / 2) : finger[1] - away;
    canvas.style.left = `${x - SIDE / 2}px`;
    canvas.style.top = `${Math.max(y, SIDE / 2) - SIDE / 2}px`;
    view.centre(place, [SIDE, SIDE], Math.max(drawing.view.scale * TIMES, LEAST_SCALE));
    this.#paint(ratio);
  }

  #paint(ratio) {
    const { drawing, view } = this, { bitmap, width, height } = drawing.shown;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#20242c";
    context.fillRect(0, 0, SIDE, SIDE);
    context.filter = drawing.layers.image.style.filter || "none";
    context.drawImage(bitmap, view.x, view.y, width * view.scale, height * view.scale);
    context.filter = "none";
    if (!drawing.tools.isHidden) {
      context.globalAlpha = 0.55;
      drawing.paintFacePoints(context, view, 3.5);
      context.globalAlpha = 1;
    }
    paintCrosshair(context, [SIDE / 2, SIDE / 2], 26);
  }
}
