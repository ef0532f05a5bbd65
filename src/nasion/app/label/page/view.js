// Which part of the image is on the screen. Coordinates of points are those of the image: the
// centre of its first pixel is at 0, 0, so its corner is at -0.5, -0.5. Nothing here changes them.

const LEAST = 0.02, MOST = 64;  // screen pixels an image pixel

export class View {
  scale = 1;
  x = 0;  // of the image's corner on the stage, in CSS pixels
  y = 0;

  toStage([x, y]) {
    return [(x + 0.5) * this.scale + this.x, (y + 0.5) * this.scale + this.y];
  }

  toImage([x, y]) {
    return [(x - this.x) / this.scale - 0.5, (y - this.y) / this.scale - 0.5];
  }

  panBy(dx, dy) {
    this.x += dx;
    this.y += dy;
  }

  /** Zooms and keeps the place under this point of the stage. */
  zoomAt([x, y], factor) {
    const scale = Math.min(Math.max(this.scale * factor, LEAST), MOST);
    this.x = x - (x - this.x) * (scale / this.scale);
    this.y = y - (y - this.y) * (scale / this.scale);
    this.scale = scale;
  }

  /** Shows a place of the image in the middle of the stage. */
  centre([x, y], [width, height], scale = this.scale) {
    this.scale = Math.min(Math.max(scale, LEAST), MOST);
    this.x = width / 2 - (x + 0.5) * this.scale;
    this.y = height / 2 - (y + 0.5) * this.scale;
  }

  /** Shows a box of the image as large as the stage allows. */
  fit([x0, y0, x1, y1], size, margin = 0.08) {
    const room = 1 - 2 * margin;
    const wide = Math.max(x1 - x0, 1), high = Math.max(y1 - y0, 1);
    const scale = Math.min((size[0] * room) / wide, (size[1] * room) / high);
    this.centre([(x0 + x1) / 2, (y0 + y1) / 2], size, scale);
  }
}

/** The box around points and boxes; null without any. */
export function boxAround(places) {
  const known = places.filter(Boolean);
  if (!known.length) return null;
  const xs = known.map((place) => place[0]), ys = known.map((place) => place[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

export const grown = ([x0, y0, x1, y1], part) => {
  const margin = part * Math.max(x1 - x0, y1 - y0, 1);
  return [x0 - margin, y0 - margin, x1 + margin, y1 + margin];
};
