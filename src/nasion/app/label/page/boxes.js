// The face's box: drawn by a drag or by two clicks, corrected by its corners and edges.

import { announce } from "./dom.js";
import { rounded } from "./editing.js";

const REACH = { mouse: 10, touch: 24, pen: 16 };
const LEAST = 4;  // image pixels of a side

export class Boxes {
  constructor({ labelling, tools, view }) {
    Object.assign(this, { labelling, tools, view });
    this.isNewFace = false;
    this.corner = null;  // the first of two clicks
  }

  begin(isNewFace) {
    this.isNewFace = isNewFace;
    this.corner = null;
    this.tools.boxDraft = null;
    announce(isNewFace
      ? "New face: drag a box around it, or click two opposite corners. Escape ends."
      : "Box: drag its corners or edges, or draw a new one. Escape ends.");
  }

  /** Which sides a press moves: [left, top, right, bottom] as flags; null: a new box. */
  grabbed(place, kind) {
    const box = this.tools.boxDraft ?? (this.isNewFace ? null : this.labelling.doc.box);
    if (!box || this.corner) return null;
    const reach = REACH[kind] ?? REACH.mouse;
    const [x0, y0] = this.view.toStage(box.slice(0, 2)), [x1, y1] = this.view.toStage(box.slice(2));
    const [x, y] = place;
    if (x < x0 - reach || x > x1 + reach || y < y0 - reach || y > y1 + reach) return null;
    const near = (a, b) => Math.abs(a - b) <= reach;
    const sides = [near(x, x0), near(y, y0), near(x, x1), near(y, y1)];
    return sides.some(Boolean) ? { box, sides } : null;
  }

  resized({ box, sides }, dx, dy) {
    const by = [dx, dy, dx, dy];
    return ordered(box.map((value, k) => (sides[k] ? value + by[k] : value)));
  }

  drawn(from, to) {
    return ordered([...from, ...to]);
  }

  /** A click in box mode: the first corner, then the opposite one. */
  async click(place) {
    if (!this.corner) {
      this.corner = place;
      announce("Now click the opposite corner.");
      return;
    }
    const box = this.drawn(this.corner, place);
    this.corner = null;
    await this.finish(box);
  }

  async finish(box) {
    this.tools.boxDraft = null;
    if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) {
      announce("That box is too small for a face.", { isError: true });
      return;
    }
    const { labelling } = this, { isNewFace } = this;
    this.isNewFace = false;
    this.tools.setMode("edit");
    if (isNewFace) {
      await labelling.addFace(box);
      return;
    }
    if (!(await labelling.set("box", "box", box))) return;
    announce("Box saved.");
    if (!labelling.doc.isBlind && labelling.doc.unplaced.length + labelling.doc.hollow.length) {
      labelling.proposals.forBox(box);
    }
  }

  /** Arrow keys: moves the box, or with Shift its lower right corner. */
  async nudge(dx, dy, isCorner) {
    const box = this.labelling.doc.box;
    if (!box) return;
    const sides = isCorner ? [false, false, true, true] : [true, true, true, true];
    await this.labelling.set("box", "box", this.resized({ box, sides }, dx, dy));
  }
}

const ordered = ([a, b, c, d]) =>
  [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)].map(rounded);
