// Mouse, pen and fingers on the stage. A press becomes a drag after three pixels; a point keeps its
// distance from the pointer, so that nothing jumps and no finger hides what is moved.

import { announce, readable } from "./dom.js";
import { at, movedBy, slidTo } from "./editing.js";
import { shownPlace } from "./face_document.js";

const THRESHOLD = { mouse: 3, pen: 4, touch: 8 };  // screen pixels until a press is a drag
const REACH = { mouse: 12, pen: 16, touch: 26 };  // screen pixels around a point
const HOLD = 550;  // ms until a finger that rests is a held one

export class Pointers {
  #down = new Map();  // pointers that are pressed: {start, now, kind}
  #action = null;  // what the present drag does: {move, end, cancel}
  #hold = 0;

  constructor(parts) {
    Object.assign(this, parts);  // stage, view, labelling, tools, drawing, lens, shape, boxes, menu
    const { stage } = this;
    const listen = (name, method) =>
      stage.addEventListener(name, (event) => method.call(this, event), { passive: false });
    listen("pointerdown", this.#pressed);
    listen("pointermove", this.#moved);
    listen("pointerup", this.#lifted);
    listen("pointercancel", this.#cancelled);
    listen("pointerleave", this.#left);
    listen("wheel", this.#wheeled);
    listen("contextmenu", this.#asked);
    listen("dblclick", this.#doubled);
    // Else lifting a finger also clicks what has opened under it, such as the point's menu.
    stage.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  }

  #place(event) {
    const frame = this.stage.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  /** The point nearest to a place of the stage within reach; -1 without one. */
  pointAt(place, kind = "mouse") {
    let best = -1, least = REACH[kind] ?? REACH.mouse;
    if (this.tools.isHidden) return best;
    const { labelling, view } = this;
    for (let i = 0; i < labelling.names.length; i++) {
      const known = labelling.placeOf(i);
      if (!known) continue;
      const [x, y] = view.toStage(known);
      const far = Math.hypot(x - place[0], y - place[1]) - (i === labelling.current ? 2 : 0);
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  #pressed(event) {
    if (!this.labelling.doc) return;
    this.menu.close();
    this.labelling.commit();
    this.stage.focus({ preventScroll: true });
    const place = this.#place(event), kind = event.pointerType;
    if (event.button === 2) return;
    event.preventDefault();
    this.stage.setPointerCapture?.(event.pointerId);
    this.#down.set(event.pointerId, { start: place, now: place, kind });
    clearTimeout(this.#hold);
    if (this.#down.size === 2) return this.#twoFingers();
    if (this.#down.size > 2) return;
    this.#action = this.#actionFor(event, place, kind);
    if (kind === "touch") this.#hold = setTimeout(() => this.#heldStill(), HOLD);
  }

  #actionFor(event, place, kind) {
    const { tools, labelling } = this;
    if (event.button === 1 || tools.isPanning) return this.#pan();
    if (tools.mode === "box") return this.#box(place, kind);
    if (tools.mode === "shape") return this.#transform(place, kind) ?? this.#pan();
    if (event.ctrlKey || event.metaKey || tools.mode === "here") return this.#here();
    const point = this.pointAt(place, kind);
    if (point >= 0 && event.altKey) return this.#slide(point);
    if (point >= 0) return this.#drag(point, kind);
    if (tools.mode === "place") {
      return kind === "touch" ? this.#placeByTouch(place) : this.#placeByClick();
    }
    return this.#pan(() => labelling.select(-1));
  }

  #moved(event) {
    const place = this.#place(event);
    if (event.pointerType !== "touch") this.tools.pointer = place;
    const pressed = this.#down.get(event.pointerId);
    if (pressed) {
      const last = pressed.now;
      pressed.now = place;
      const far = Math.hypot(place[0] - pressed.start[0], place[1] - pressed.start[1]);
      if (!pressed.isDrag && far < (THRESHOLD[pressed.kind] ?? 3)) {
        this.#action?.rest?.(place, pressed);
        return;
      }
      if (!pressed.isDrag) clearTimeout(this.#hold);
      pressed.isDrag = true;
      this.#action?.move?.(place, pressed, last);
      return;
    }
    this.#hovered(place);
  }

  #hovered(place) {
    const { tools, stage, lens, view } = this;
    if (tools.isMagnifying) lens.show(view.toImage(place), place, false);
    const isOver = tools.mode === "edit" && this.pointAt(place) >= 0;
    const grabbed = tools.mode === "shape" ? this.shape.grabbed(place, "mouse") : null;
    stage.dataset.cursor = tools.isPanning ? "pan" : isOver || grabbed ? "grab" : tools.mode;
  }

  #lifted(event) {
    const pressed = this.#down.get(event.pointerId);
    if (!pressed) return;
    clearTimeout(this.#hold);
    this.#down.delete(event.pointerId);
    const action = this.#action;
    if (this.#down.size) return action?.lifted?.(this.#place(event));
    this.#action = null;
    this.tools.isDragging = false;
    this.lens.hide();
    if (pressed.isDone) return;
    if (pressed.isDrag) action?.end?.(this.#place(event), pressed);
    else action?.click?.(this.#place(event), pressed);
    this.drawing.request();
  }

  #cancelled(event) {
    if (!this.#down.delete(event.pointerId)) return;
    clearTimeout(this.#hold);
    this.#action?.cancel?.();
    this.#action = null;
    this.tools.isDragging = false;
    this.lens.hide();
    this.drawing.request();
  }

  #left() {
    this.tools.pointer = null;
    if (this.tools.isMagnifying) this.lens.hide();
  }

  /** Escape ends a drag and leaves everything as it was. */
  abort() {
    const hadDrag = this.#down.size > 0;
    for (const pressed of this.#down.values()) pressed.isDone = true;
    this.#action?.cancel?.();
    this.#action = null;
    return hadDrag;
  }

  // Mouse wheel, right button, double click

  #wheeled(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 20 : 1;
    const steps = Math.max(-3, Math.min(3, (-event.deltaY * unit) / 100));
    this.view.zoomAt(this.#place(event), 1.25 ** steps);
    this.changedView();
  }

  #asked(event) {
    event.preventDefault();
    if (event.pointerType === "touch" || this.#down.size) return;
    const place = this.#place(event), point = this.pointAt(place);
    if (point < 0) return;
    this.labelling.select(point);
    this.menu.open(point, place);
  }

  #doubled(event) {
    const point = this.pointAt(this.#place(event));
    if (point < 0 || this.tools.mode !== "edit") return;
    this.labelling.select(point);
    this.accept([point]);
  }

  #heldStill() {
    const pressed = [...this.#down.values()][0];
    if (!pressed || pressed.isDrag || this.tools.mode === "box") return;
    const point = this.pointAt(pressed.start, "touch");
    if (point >= 0) {
      pressed.isDone = true;
      this.#action?.cancel?.();
      this.#action = null;
      this.labelling.select(point);
      this.menu.open(point, pressed.start);
    } else if (this.labelling.current >= 0 && this.tools.mode === "edit") {
      pressed.isDone = true;
      this.#action = null;
      this.moveSelected(this.view.toImage(pressed.start));
    }
  }

  // Drags

  #pan(click) {
    const { view } = this;
    return {
      move: (place, _, last) => {
        view.panBy(place[0] - last[0], place[1] - last[1]);
        this.changedView();
      },
      click,
    };
  }

  #preview(changes) {
    this.labelling.preview = changes;
    this.drawing.request("points");
  }

  #cancelPreview = () => this.#preview(new Map());

  #drag(point, kind) {
    const { labelling, view, tools } = this;
    const before = labelling.placeOf(point);
    const shifted = (place, { start }) => {
      const dx = (place[0] - start[0]) / view.scale, dy = (place[1] - start[1]) / view.scale;
      return movedBy(before, dx, dy);
    };
    const magnify = (place, value) => {
      if (kind === "touch" || tools.isMagnifying) this.lens.show(value, place, kind === "touch");
    };
    if (labelling.current !== point) labelling.select(point, labelling.several);
    if (kind === "touch") magnify(view.toStage(before), before);
    return {
      move: (place, pressed) => {
        tools.isDragging = true;
        const value = shifted(place, pressed);
        this.#preview(new Map([[point, value]]));
        magnify(place, value);
      },
      end: async (place, pressed) => {
        const value = shifted(place, pressed);
        const changes = new Map([[point, value]]);
        this.#preview(changes);
        await this.#finish(labelling.doc.points[point] ? "move" : "place", changes);
        announce(`${readable(labelling.names[point])} at ${shownPlace(value)}.`);
      },
      click: () => labelling.select(point),
      cancel: this.#cancelPreview,
    };
  }

  async #finish(op, changes) {
    const isChanged = this.labelling.change(op, changes);
    this.labelling.preview = new Map();
    await isChanged;
  }

  #slide(point) {
    const { labelling, view } = this;
    const contour = labelling.contourOf(point);
    if (!contour || !labelling.doc.points[point]) return this.#drag(point, "mouse");
    labelling.select(point);
    const slid = (place) =>
      slidTo(labelling.doc.points, contour, point, view.toImage(place));
    return {
      move: (place) => this.#preview(slid(place)),
      end: (place) => this.#finish("slide", slid(place)),
      cancel: this.#cancelPreview,
    };
  }

  #here() {
    return {
      click: (place) => this.moveSelected(this.view.toImage(place)),
      end: (place) => this.moveSelected(this.view.toImage(place)),
    };
  }

  #placeByClick() {
    const pan = this.#pan();
    return { move: pan.move, click: (place) => this.placeNext(this.view.toImage(place)) };
  }

  /** The lens shows where the point will be when the finger is lifted. */
  #placeByTouch(place) {
    const show = (here) => {
      this.tools.crosshair = this.view.toImage(here);
      this.lens.show(this.tools.crosshair, here, true);
      this.drawing.request("points");
    };
    show(place);
    const lift = (here) => this.placeNext(this.view.toImage(here));
    return { rest: show, move: show, end: lift, click: lift };
  }

  #box(place, kind) {
    const { boxes, tools, view } = this;
    const grabbed = boxes.grabbed(place, kind);
    const boxAt = (here, { start }) => {
      if (!grabbed) return boxes.drawn(view.toImage(start), view.toImage(here));
      const dx = (here[0] - start[0]) / view.scale, dy = (here[1] - start[1]) / view.scale;
      return boxes.resized(grabbed, dx, dy);
    };
    return {
      move: (here, pressed) => {
        tools.boxDraft = boxAt(here, pressed);
        this.drawing.request("points");
      },
      end: (here, pressed) => boxes.finish(boxAt(here, pressed)),
      click: (here) => boxes.click(view.toImage(here)),
      cancel: () => { tools.boxDraft = null; },
    };
  }

  #transform(place, kind) {
    const { shape, tools, view } = this;
    const grabbed = shape.grabbed(place, kind);
    if (!grabbed) return null;
    const places = shape.places(), { centre } = tools.frame;
    const result = (here, { start }) =>
      shape.dragged(grabbed, view.toImage(start), view.toImage(here), centre, places);
    return this.#shapeDrag(result);
  }

  #shapeDrag(result) {
    return {
      move: (here, pressed) => {
        this.tools.isDragging = true;
        this.#preview(result(here, pressed));
        this.shape.update();
      },
      end: (here, pressed) => this.#finish("transform", result(here, pressed)),
      cancel: this.#cancelPreview,
    };
  }

  #twoFingers() {
    this.#action?.cancel?.();
    this.tools.crosshair = null;
    this.lens.hide();
    const fingers = [...this.#down.values()];
    for (const finger of fingers) Object.assign(finger, { start: finger.now, isDrag: true });
    const isShape = this.tools.mode === "shape" && this.tools.frame;
    this.#action = isShape ? this.#pinchShape(fingers) : this.#pinchView(fingers);
  }

  #pinchView(fingers) {
    const { view } = this;
    const middle = () => fingers[0].now.map((value, k) => (value + fingers[1].now[k]) / 2);
    const apart = () => Math.hypot(...fingers[0].now.map((value, k) => value - fingers[1].now[k]));
    let last = middle(), far = apart();
    const move = () => {
      const now = middle(), wide = apart();
      view.panBy(now[0] - last[0], now[1] - last[1]);
      view.zoomAt(now, wide / Math.max(far, 1));
      [last, far] = [now, wide];
      this.changedView();
    };
    return { move, lifted: () => { this.#action = {}; } };
  }

  #pinchShape(fingers) {
    const places = this.shape.places(), { view } = this;
    const from = fingers.map((finger) => view.toImage(finger.start));
    const result = () =>
      this.shape.pinched(from, fingers.map((finger) => view.toImage(finger.now)), places);
    return {
      move: () => {
        this.#preview(result());
        this.shape.update();
      },
      lifted: () => {
        this.#finish("transform", result());
        this.#action = {};
      },
      cancel: this.#cancelPreview,
    };
  }
}

/** A point's value at a place, with the state that it has or is expected to have. */
export const valueAt = (doc, i, place) => at(place, doc.points[i]?.[2] ?? doc.newState(i));
