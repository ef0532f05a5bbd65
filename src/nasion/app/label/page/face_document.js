// The face in view: its labels as the server and unsent gestures leave them, and what is proposed.

import { OCCLUDED, VISIBLE, at, rounded, same } from "./editing.js";

const SINGLE = ["box", "done", "no_face", "removed", "note"];

export class FaceDocument {
  constructor(answer, names) {
    this.names = names;
    this.position = new Map(names.map((name, i) => [name, i]));
    this.take(answer);
  }

  /** What the server says of the face. */
  take(answer) {
    Object.assign(this, answer);
    this.points = answer.points.map((value) => value ?? null);
    this.placed = [...answer.placed];
    this.touched = [...answer.touched];
    this.confirmed = [...(answer.confirmed ?? [])];
    this.takeProposal(answer.proposal);
  }

  takeProposal(proposal) {
    this.proposal = proposal;
    this.base = proposal ? proposal.points.map((place) => place && [...place]) : null;
    this.shown = this.base;  // where proposals are drawn: refitted after each correction
  }

  get key() {
    return `${this.face}\n${this.repeat}`;
  }

  get isBlind() {
    return this.repeat > 0;
  }

  /** A proposed place that is no label yet. */
  isHollow(i) {
    return !this.points[i] && !this.touched[i] && Boolean(this.shown?.[i]);
  }

  /** Where a point is drawn: its label, else the proposed place. */
  placeOf(i) {
    return this.points[i] ?? (this.isHollow(i) ? this.shown[i] : null);
  }

  isMissing(i) {
    return !this.points[i] && this.touched[i];
  }

  stateOf(i) {
    if (this.points[i]) return this.points[i][2];
    if (this.isHollow(i)) return this.newState(i) === OCCLUDED ? "proposed occluded" : "proposed";
    return this.touched[i] ? "missing" : "not placed";
  }

  /** The state of a point that becomes a label: as the network expects it. */
  newState(i) {
    return this.proposal?.hidden?.[i] ? OCCLUDED : VISIBLE;
  }

  get labelled() {
    return this.points.filter(Boolean).length;
  }

  get hollow() {
    return this.names.map((_, i) => i).filter((i) => this.isHollow(i));
  }

  get unplaced() {
    return this.names.map((_, i) => i).filter((i) => !this.placeOf(i) && !this.touched[i]);
  }

  proposed(i) {
    const place = this.shown?.[i];
    return place ? at(place, this.points[i]?.[2] ?? this.newState(i)) : null;
  }

  /** The fields of a gesture that sets these points: {name: {from, to}}. */
  pointFields(changes) {
    const fields = {};
    for (const [i, to] of changes) fields[this.names[i]] = { from: this.points[i], to };
    return fields;
  }

  /** Does what a gesture says. */
  apply(gesture) {
    for (const [name, { to }] of Object.entries(gesture.points ?? {})) {
      const i = this.position.get(name);
      if (i === undefined) continue;
      this.points[i] = to;
      this.placed[i] = Boolean(to);
      this.touched[i] = true;
    }
    for (const field of SINGLE) if (gesture[field]) this[field] = gesture[field].to;
    if (gesture.confirmed) this.confirmed = [...(gesture.confirmed.to ?? [])];
    if (gesture.op === "add") this.is_new = false;
    if (gesture.op === "add" || gesture.points) this.has_faces = true;
    this.revision = gesture.revision;
    this.can_undo = true;
    this.can_redo = false;
  }

  /** A field's value, as conflicts compare them. */
  valueOf(field, name = "") {
    if (field === "points") return this.points[this.position.get(name)] ?? null;
    if (field === "confirmed") return this.confirmed.length ? this.confirmed : null;
    return this[field] ?? null;
  }
}

export const sameValue = (a, b) =>
  Array.isArray(a) || Array.isArray(b) ? same(a ?? null, b ?? null) : (a ?? null) === (b ?? null);

export const shownPlace = (value) =>
  value ? `${rounded(value[0]).toFixed(1)}, ${rounded(value[1]).toFixed(1)}` : "no place";
