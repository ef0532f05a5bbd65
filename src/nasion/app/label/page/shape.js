// Shape mode: a part or the whole face moved, turned and scaled, by handles, fingers or keys.

import { transformed } from "./editing.js";
import { boxAround } from "./view.js";

const ROOM = 14;  // screen pixels between points and frame
const REACH = { mouse: 14, touch: 24, pen: 18 };  // screen pixels around a handle

export class Shape {
  constructor({ labelling, tools, view }) {
    Object.assign(this, { labelling, tools, view });
  }

  /** The points it is about, with their places: labels and proposals. */
  places() {
    const { labelling } = this;
    return new Map(labelling.scope.map((i) => [i, labelling.placeOf(i)]).filter(([, it]) => it));
  }

  update() {
    const box = this.tools.mode === "shape" && boxAround([...this.places().values()]);
    this.tools.frame = box ? this.#frame(box) : null;
  }

  #frame([x0, y0, x1, y1]) {
    const room = ROOM / this.view.scale;
    const box = [x0 - room, y0 - room, x1 + room, y1 + room];
    const at = (u, v) => [box[0] + u * (box[2] - box[0]), box[1] + v * (box[3] - box[1])];
    const handles = [[0, 0], [1, 0], [1, 1], [0, 1]]
      .map(([u, v]) => ({ kind: "scale", at: at(u, v) }));
    const top = at(0.5, 0);
    handles.push({ kind: "turn", at: [top[0], top[1] - 2.2 * room] });
    return { box, handles, centre: [(x0 + x1) / 2, (y0 + y1) / 2] };
  }

  /** What a press at this place of the stage takes hold of: scale, turn, move or null. */
  grabbed(place, kind) {
    const { frame } = this.tools;
    if (!frame) return null;
    for (const handle of frame.handles) {
      const [x, y] = this.view.toStage(handle.at);
      const far = Math.hypot(x - place[0], y - place[1]);
      if (far <= (REACH[kind] ?? REACH.mouse)) return handle.kind;
    }
    const [x, y] = this.view.toImage(place), { box } = frame;
    return x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3] ? "move" : null;
  }

  /** A drag from `start` to `end` (both of the image). */
  dragged(kind, start, end, centre, places) {
    const from = [start[0] - centre[0], start[1] - centre[1]];
    const to = [end[0] - centre[0], end[1] - centre[1]];
    if (kind === "move") {
      return transformed(places, { dx: end[0] - start[0], dy: end[1] - start[1] });
    }
    if (kind === "turn") {
      const angle = Math.atan2(to[1], to[0]) - Math.atan2(from[1], from[0]);
      return transformed(places, { angle, centre });
    }
    return transformed(places, { scale: Math.hypot(...to) / Math.hypot(...from), centre });
  }

  /** Two fingers, each from where it was to where it is (of the image). */
  pinched([a, b], [c, d], places) {
    const from = [b[0] - a[0], b[1] - a[1]], to = [d[0] - c[0], d[1] - c[1]];
    const angle = Math.atan2(to[1], to[0]) - Math.atan2(from[1], from[0]);
    const scale = Math.hypot(...to) / Math.max(Math.hypot(...from), 1e-6);
    const centre = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const moved = [(c[0] + d[0]) / 2 - centre[0], (c[1] + d[1]) / 2 - centre[1]];
    return transformed(places, { angle, scale, centre, dx: moved[0], dy: moved[1] });
  }

  /** A key's or button's step: pixels, degrees or a factor. */
  step({ dx = 0, dy = 0, degrees = 0, scale = 1 }) {
    const places = this.places();
    const box = boxAround([...places.values()]);
    if (!box) return;
    const centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const angle = (degrees * Math.PI) / 180;
    this.labelling.hold("transform", transformed(places, { dx, dy, angle, scale, centre }));
  }
}
