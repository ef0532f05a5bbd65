// What buttons, menus and keys do to points.

import { announce, count, readable } from "./dom.js";
import {
  OCCLUDED, VISIBLE, distanceTo, filledByMirror, filledFrom, movedBy, reversed, same, shiftedByOne,
  slidBy, swappedSides,
} from "./editing.js";
import { shownPlace } from "./face_document.js";
import { valueAt } from "./gestures.js";

export class PointActions {
  constructor(app) {
    this.app = app;
  }

  get labelling() {
    return this.app.labelling;
  }

  get doc() {
    return this.app.labelling.doc;
  }

  name(i) {
    return readable(this.labelling.names[i]);
  }

  #selected() {
    const { current } = this.labelling;
    if (current < 0) announce("Select a point first: click it, or press Tab.");
    return current;
  }

  // Selecting

  select(i, { soon = false } = {}) {
    this.labelling.select(i, this.labelling.several);
    this.app.tools.crosshair = null;
    if (i < 0) return;
    const doc = this.doc;
    const place = doc.placeOf(i);
    if (!place) this.app.tools.crosshair = this.#guess(i);
    const where = place ? ` at ${shownPlace(place)}` : "";
    announce(`${this.name(i)}, ${doc.stateOf(i)}${where}.`, { soon });
    this.app.viewActions.reveal(place ?? this.app.tools.crosshair);
  }

  /** Where a point that nothing is known of may be: as the scheme's picture has it. */
  #guess(i) {
    const doc = this.doc, { picture } = this.labelling.scheme;
    const filled = filledFrom(doc.points, picture, [i]);
    return filled.get(i)?.slice(0, 2) ?? this.app.viewActions.middle();
  }

  /** Tab: one further; false at the end, where the focus moves on. */
  step(by) {
    const next = this.labelling.current + by;
    const { length } = this.labelling.names;
    if (this.labelling.current < 0) this.select(by > 0 ? 0 : length - 1);
    else if (next < 0 || next >= length) return false;
    else this.select(next);
    return true;
  }

  nextDoubtful() {
    const doc = this.doc;
    const doubt = doc.doubt ?? doc.proposal?.error ?? [];
    const open = this.labelling.names.map((_, i) => i)
      .filter((i) => !doc.touched[i] && !doc.confirmed.includes(doc.names[i]));
    if (!open.length) return announce("No point is left that nobody has looked at.");
    open.sort((a, b) => (doubt[b] ?? 0) - (doubt[a] ?? 0));
    const here = open.indexOf(this.labelling.current);
    this.select(open[(here + 1) % open.length]);
  }

  /** The point's contour; once more, its part of the face; once more, none. */
  selectPart() {
    const { labelling } = this, { parts } = labelling.scheme;
    const i = Math.max(labelling.current, 0);
    const choices = [labelling.contourOf(i), parts.find((part) => part.points.includes(i))];
    const known = choices.filter((it, k) => it && !(k && same(it.points, choices[0]?.points)));
    const isSelected = (it) => it.points.length === labelling.several.size
      && it.points.every((point) => labelling.several.has(point));
    this.usePart(known[known.findIndex(isSelected) + 1] ?? null);
  }

  usePart(part) {
    const points = new Set(part?.points ?? []);
    this.labelling.select(this.labelling.current, points);
    announce(part ? `${readable(part.name)}: ${count(points.size, "point")} selected.`
      : "No part selected.");
  }

  // Placing and moving

  nextUnplaced(after) {
    const doc = this.doc, { length } = doc.names;
    for (let step = 1; step <= length; step++) {
      const i = (after + step + length) % length;
      if (!doc.placeOf(i) && !doc.touched[i]) return i;
    }
    return -1;
  }

  /** Puts the selected point, else the next one without a place, here. */
  async placeNext(place) {
    const { labelling, tools } = this.app, doc = this.doc;
    const isOpen = (i) => i >= 0 && !doc.points[i];
    const i = isOpen(labelling.current) ? labelling.current : this.nextUnplaced(labelling.current);
    if (i < 0) {
      tools.setMode("edit");
      return announce("Every point has a place.");
    }
    tools.crosshair = null;
    if (!(await labelling.change("place", new Map([[i, valueAt(doc, i, place)]])))) return;
    const next = this.nextUnplaced(i);
    if (next < 0) {
      labelling.select(i);
      tools.setMode("edit");
      return announce(`${this.name(i)} placed; that was the last one.`);
    }
    this.select(next);
    announce(`${this.name(i)} placed. Next: ${this.name(next)}.`);
  }

  /** Enter: places a point at the crosshair, or takes its proposal; then the next one. */
  async enter() {
    const { labelling, tools } = this.app, doc = this.doc, i = labelling.current;
    if (i < 0) return this.select(Math.max(0, this.nextUnplaced(-1)));
    labelling.commit();
    if (doc.isHollow(i)) {
      await this.accept([i]);
      return this.step(1);
    }
    if (!doc.points[i]) return this.placeNext(tools.crosshair ?? this.#guess(i));
    return this.step(1);
  }

  skip() {
    const next = this.nextUnplaced(this.labelling.current);
    if (next < 0) return announce("Every point has a place.");
    this.select(next);
  }

  moveSelected(place) {
    const i = this.#selected();
    if (i < 0) return;
    const op = this.doc.points[i] ? "move" : "place";
    this.app.tools.crosshair = null;
    this.labelling.change(op, new Map([[i, valueAt(this.doc, i, place)]]));
    if (this.app.tools.mode === "here") this.app.tools.setMode("edit");
    announce(`${this.name(i)} moved to ${shownPlace(place)}.`);
  }

  moveToPointer() {
    const { tools, view } = this.app;
    const place = tools.pointer ? view.toImage(tools.pointer) : tools.crosshair;
    if (!place) return announce("Point at the place with the mouse, or use the arrow keys.");
    this.moveSelected(place);
  }

  nudge(dx, dy) {
    const { tools, labelling } = this.app;
    if (tools.mode === "shape") return this.app.shape.step({ dx, dy });
    if (tools.mode === "box") return this.app.boxes.nudge(dx, dy, Math.abs(dx + dy) > 1);
    const i = labelling.current;
    if (i < 0) return this.app.viewActions.pan(-40 * Math.sign(dx), -40 * Math.sign(dy));
    const place = labelling.placeOf(i);
    if (!place) {
      const [x, y] = tools.crosshair ?? this.#guess(i);
      tools.crosshair = [x + dx, y + dy];
      this.app.drawing.request("points");
      this.app.viewActions.reveal(tools.crosshair);
      return announce(`Crosshair at ${shownPlace(tools.crosshair)}.`, { soon: true });
    }
    const to = movedBy(place, dx, dy);
    labelling.hold(this.doc.points[i] ? "move" : "place", new Map([[i, to]]));
    this.app.viewActions.reveal(to);
    announce(`${this.name(i)} at ${shownPlace(to)}.`, { soon: true });
  }

  // States

  async mark(points, state) {
    const doc = this.doc, changes = new Map();
    for (const i of points) {
      const place = doc.points[i] ?? doc.proposed(i);
      if (state === null) changes.set(i, null);
      else if (place) changes.set(i, [place[0], place[1], state]);
    }
    const said = { [VISIBLE]: "visible", [OCCLUDED]: "occluded", null: "missing" }[state];
    if (!changes.size) return announce("Place the point first.");
    await this.labelling.change("mark", changes);
    announce(points.length === 1 ? `${this.name(points[0])}: ${said}.`
      : `${count(points.length, "point")}: ${said}.`);
  }

  toggleOccluded() {
    const i = this.#selected();
    if (i >= 0) this.mark([i], this.doc.points[i]?.[2] === OCCLUDED ? VISIBLE : OCCLUDED);
  }

  markMissing() {
    const i = this.#selected();
    if (i >= 0) this.mark([i], null);
  }

  async accept(points) {
    const doc = this.doc, changes = new Map();
    for (const i of points) {
      const place = doc.proposed(i);
      if (place) changes.set(i, place);
    }
    if (!changes.size) return announce("Nothing is proposed here.");
    await this.labelling.change("accept", changes, "proposal");
    announce(points.length === 1 ? `${this.name(points[0])}: proposal accepted.`
      : `${count(changes.size, "proposed point")} accepted.`);
  }

  acceptSelected() {
    const i = this.#selected();
    if (i >= 0) this.accept([i]);
  }

  acceptAll() {
    const targets = this.#open();
    if (!targets.length) {
      return announce("No point is left without a label; A takes a single proposal.");
    }
    return this.accept(targets);
  }

  async confirm() {
    const doc = this.doc, { labelling } = this;
    const points = labelling.current >= 0 ? [labelling.current]
      : [...(doc.suspect?.points ?? [])];
    if (!points.length) return announce("Select the points whose labels are right.");
    const names = new Set([...doc.confirmed, ...points.map((i) => doc.names[i])]);
    await labelling.set("confirm", "confirmed", doc.names.filter((name) => names.has(name)));
    announce(`${count(points.length, "label")} confirmed as right.`);
  }

  // Filling: never over what was placed by hand

  /** The selected part, else all points that have no label yet; touched ones are left out. */
  #open() {
    const doc = this.doc, { labelling } = this;
    const isPart = labelling.several.size > 1;
    return labelling.scope.filter((i) => !doc.touched[i] && (isPart || !doc.points[i]));
  }

  async #fill(origin, changes, what) {
    if (!changes.size) {
      return announce(`Nothing to fill from ${what}; two points placed by hand, or a box, `
        + "show where the face is.");
    }
    await this.labelling.change("fill", changes, origin);
    announce(`${count(changes.size, "point")} filled from ${what}.`);
  }

  fillFromPrevious() {
    const { previous } = this.labelling;
    if (!previous) return announce("No face was shown before this one.");
    return this.#fillFrom(previous, "previous", "the previous face");
  }

  async fillFromReference() {
    const reference = await this.app.reference.load();
    if (!reference) return announce("There is no reference face yet.");
    return this.#fillFrom(reference, "reference", "the reference face");
  }

  #fillFrom(face, origin, what) {
    const doc = this.doc;
    const changes = filledFrom(doc.points, face.points, this.#open(), doc.box, face.box);
    return this.#fill(origin, changes, what);
  }

  fillFromMirror() {
    const doc = this.doc, { mirror, picture } = this.labelling.scheme;
    const changes = filledByMirror(doc.points, mirror, picture, this.#open());
    return this.#fill("mirror", changes, "the other half");
  }

  // Contours and sides

  #contour() {
    const { labelling } = this;
    const several = [...labelling.several];
    const i = labelling.current >= 0 ? labelling.current : several[0] ?? -1;
    const contour = i >= 0 && labelling.contourOf(i);
    if (!contour) announce("Select a point of a contour first.");
    return contour || null;
  }

  #ofContour(op, edit, said) {
    const contour = this.#contour();
    if (!contour) return;
    this.labelling.change(op, edit(this.doc.points, contour));
    announce(`${readable(contour.name)}: ${said}.`);
  }

  reverse() {
    const edit = (points, contour) => reversed(points, contour, this.#expected(contour));
    this.#ofContour("reverse", edit, "reversed");
  }

  /** Where a contour's points should be: as an audit's or the proposing network says, else as the
   *  scheme's picture has them, laid on the rest of the face. */
  #expected(contour) {
    const doc = this.doc, { picture } = this.labelling.scheme;
    const expected = [...(doc.base ?? [])];
    const drawn = filledFrom(doc.points, picture, contour.points);
    for (const i of contour.points) expected[i] ??= drawn.get(i) ?? null;
    doc.suspect?.points.forEach((i, k) => {
      expected[i] = doc.suspect.predicted[k] ?? expected[i];
    });
    return expected;
  }

  /** Shifts a contour by one to the side that fits better. */
  shiftToFit() {
    const contour = this.#contour();
    if (!contour) return;
    const expected = this.#expected(contour);
    const far = (step) => {
      const changes = shiftedByOne(this.doc.points, contour, step);
      return distanceTo(expected, changes);
    };
    this.shift(far(1) <= far(-1) ? 1 : -1);
  }

  /** Two points take each other's place. */
  async exchange([a, b]) {
    if (await this.labelling.change("swap", swappedSides(this.doc.points, [[a, b]]))) {
      announce(`${this.name(a)} and ${this.name(b)} exchanged.`);
    }
  }

  shift(step) {
    const edit = (points, contour) => shiftedByOne(points, contour, step);
    this.#ofContour("slide", edit, "each point shifted by one");
  }

  slide(length) {
    const i = this.#selected();
    const contour = i >= 0 && this.#contour();
    if (!contour || !this.doc.points[i]) return;
    const points = this.doc.points.map((value, k) => this.labelling.preview.get(k) ?? value);
    this.labelling.hold("slide", slidBy(points, contour, i, length));
    announce(`${this.name(i)} slid along ${readable(contour.name)}.`, { soon: true });
  }

  async swapSides() {
    const changes = swappedSides(this.doc.points, this.labelling.scheme.mirror);
    if (await this.labelling.change("swap", changes)) announce("Left and right exchanged.");
  }
}
