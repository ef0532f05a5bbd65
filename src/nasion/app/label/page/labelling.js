// The work on one face after another: which is in view, what is changed, undone and proposed.
// Tells its listeners of: face, points, selection, queue, saved, models.

import { freeName, revisionOf } from "./added_faces.js";
import { get, post, ServerError } from "./api.js";
import { announce } from "./dom.js";
import { FaceDocument, sameValue } from "./face_document.js";
import { newId, Outbox } from "./outbox.js";
import { gesturesOf, outcome } from "./versions.js";
import { Proposals } from "./proposals.js";

const RUN_OF_KEYS = 400;  // ms: nudges that follow each other sooner are one gesture
const LOOK_AGAIN = 3_000;  // ms
const LONGEST_STEP = 60;  // seconds: a longer pause is no work

export class Labelling {
  session = null;
  queue = [];
  counts = { done: 0, left: 0, images: 0 };
  index = -1;
  doc = null;  // the face in view
  current = -1;  // the selected point
  several = new Set();  // points that are selected together, such as a part
  preview = new Map();  // places of points while they are dragged or nudged
  #listeners = new Map();
  #held = null;  // a run of nudges that is no gesture yet
  #busy = Promise.resolve();  // ends with undo and redo that are under way
  #steps = 0;  // of these
  #since = performance.now();
  #looking = 0;

  /** `decide({face, current, rows, error})`: asks a person which version stays; returns the rows of
   *  this page that do. */
  constructor(decide) {
    this.decide = decide;
    this.proposals = new Proposals(this);
  }

  on(names, listener) {
    for (const name of names.split(" ")) {
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    }
  }

  tell(name, value) {
    for (const listener of this.#listeners.get(name) ?? []) listener(value);
  }

  async start(order) {
    this.session = await get("session");
    const told = (state) => this.tell("saved", state);
    const refused = (held, error) => this.#refused(held, error);
    this.outbox = new Outbox(this.session.list, { told, refused });
    this.outbox.acknowledged = (gesture, answer) => this.#acknowledged(gesture, answer);
    await this.outbox.open();
    await this.outbox.settled();
    await this.loadQueue(order ?? this.session.order);
  }

  async loadQueue(order) {
    const answer = await get("queue", { order });
    this.order = answer.order;
    this.queue = answer.faces;
    this.counts = { done: answer.done, left: answer.left, images: answer.images };
    if (this.doc) this.index = this.find(this.doc.face, this.doc.repeat);
    clearTimeout(this.#looking);
    // While the detector looks through images, faces are added to the queue.
    if (answer.pending) this.#looking = setTimeout(() => this.refreshQueue(), LOOK_AGAIN);
    this.tell("queue");
  }

  /** Asks for the queue anew: finishing a face may bring back another one, blind. */
  async refreshQueue() {
    try {
      await this.outbox.settled();
      await this.loadQueue(this.order);
    } catch {
      // The saved line says that the server does not answer.
    }
  }

  find(face, repeat = 0) {
    return this.queue.findIndex((it) => it.face === face && it.repeat === repeat);
  }

  contourOf(i) {
    return this.session.scheme.contours.find((it) => it.points.includes(i)) ?? null;
  }

  get scheme() {
    return this.session.scheme;
  }

  get names() {
    return this.session.scheme.points;
  }

  // The face in view

  async open(index) {
    const entry = this.queue[index];
    if (!entry) return;
    await this.commit();
    await this.outbox.settled();
    const answer = await get("face", { face: entry.face, repeat: entry.repeat });
    this.previous = this.doc && this.doc.labelled ? this.doc : this.previous;
    this.doc = this.#withUnsaved(answer);
    this.index = index;
    this.preview.clear();
    this.current = -1;
    this.several = new Set(this.doc.suspect?.points ?? []);
    this.#since = performance.now();
    this.proposals.begin();
    this.tell("face");
    this.tell("selection");
  }

  /** The server's answer with what it does not have yet. */
  #withUnsaved(answer) {
    const doc = new FaceDocument(answer, this.names);
    for (const gesture of this.outbox.of(answer.face, answer.repeat)) {
      if (gesture.revision === doc.revision + 1) doc.apply(gesture);
    }
    return doc;
  }

  /** The server's version of the face in view; selection and view stay. */
  show(answer) {
    if (!this.doc || answer.face !== this.doc.face || answer.repeat !== this.doc.repeat) return;
    const { shown } = this.doc;
    this.doc.take(answer);
    if (!answer.proposal && answer.pending) this.doc.shown = shown;
    this.preview.clear();
    this.#markEntry();
    this.proposals.begin();
    this.tell("points");
    this.tell("history");
  }

  placeOf(i) {
    return this.preview.get(i) ?? this.doc.placeOf(i);
  }

  select(i, several = new Set()) {
    this.current = i;
    this.several = several;
    this.tell("selection");
  }

  /** Points that fills and transformations are about: the selected ones, else all. */
  get scope() {
    const all = this.names.map((_, i) => i);
    return this.several.size > 1 ? all.filter((i) => this.several.has(i)) : all;
  }

  // Changes

  /** Shows nudges at once; a run of them becomes one gesture. */
  hold(op, changes, origin = "hand") {
    if (this.#held && this.#held.op !== op) this.commit();
    for (const [i, value] of changes) this.preview.set(i, value);
    clearTimeout(this.#held?.timer);
    const timer = setTimeout(() => this.commit(), RUN_OF_KEYS);
    this.#held = { op, origin, timer };
    this.tell("points");
  }

  commit() {
    if (!this.#held) return false;
    const { op, origin, timer } = this.#held;
    clearTimeout(timer);
    this.#held = null;
    const changes = this.preview;
    this.preview = new Map();
    return this.change(op, changes, origin);
  }

  /** Whether a run of nudges, an undo or a redo has not ended. */
  get isUnsettled() {
    return this.#held !== null || this.#steps > 0;
  }

  /** At once, or after an undo that is under way. */
  #whenReady(work) {
    this.commit();
    return this.#steps ? this.#busy.then(work) : work();
  }

  /** Records that points have new values. False if nothing was to change. */
  change(op, changes, origin = "hand") {
    return this.#whenReady(() => this.#change(op, changes, origin));
  }

  #change(op, changes, origin) {
    const doc = this.doc;
    const kept = new Map([...changes].filter(
      ([i, to]) => !sameValue(doc.points[i], to) || (op === "mark" && !to && !doc.touched[i]),
    ));
    if (!kept.size) {
      this.tell("points");
      return false;
    }
    return this.#record(op, { points: doc.pointFields(kept) }, origin);
  }

  /** Records a field's new value: box, done, removed, note or confirmed. */
  set(op, field, to) {
    return this.#whenReady(() => {
      const from = this.doc.valueOf(field);
      if (sameValue(from, to)) return false;
      return this.#record(op, { [field]: { from, to } });
    });
  }

  #canSave() {
    const { read_only: reason } = this.session;
    if (!reason) return true;
    announce(`Nothing can be saved: ${reason}`, { isError: true });
    this.tell("points");
    return false;
  }

  #record(op, fields, origin = "hand") {
    const doc = this.doc;
    if (!this.#canSave()) return false;
    if (doc.is_new) {
      const box = fields.box?.to ?? doc.box;
      if (!box) {
        announce("Draw a box around the face first (X, or the Box button).", { isError: true });
        this.tell("needs-box");
        return false;
      }
      // Whoever adds a face to a picture that is said to have none takes that back.
      if (doc.no_face) this.#setNoFace(false);
      const added = { image: { from: null, to: doc.image.name }, box: { from: null, to: box } };
      if (fields.points || fields.box) return this.#send("add", { ...fields, ...added }, origin);
      this.#send("add", added, "hand");
    }
    return this.#send(op, fields, origin);
  }

  #send(op, fields, origin) {
    const doc = this.doc;
    const gesture = {
      id: newId(), face: doc.face, repeat: doc.repeat, revision: doc.revision + 1, op, origin,
      seconds: this.#seconds(), ...fields,
    };
    doc.apply(gesture);
    this.outbox.add(gesture);
    this.#markEntry();
    this.tell("points");
    if (gesture.points) this.proposals.refit();
    return true;
  }

  /** Says that the picture in view has no face, or has one after all. */
  setNoFace(to) {
    return this.#whenReady(() => this.#setNoFace(to));
  }

  #setNoFace(to) {
    if (!this.#canSave()) return false;
    const doc = this.doc, picture = doc.image.name;
    if (picture === doc.face) return this.#send("no_face", { no_face: { from: doc.no_face, to } });
    doc.picture_revision = (doc.picture_revision ?? 0) + 1;
    this.outbox.add({
      id: newId(), face: picture, repeat: 0, revision: doc.picture_revision, op: "no_face",
      origin: "hand", seconds: this.#seconds(), no_face: { from: doc.no_face, to },
    });
    doc.no_face = to;
    this.#markEntry();
    this.tell("points");
    return true;
  }

  /** Adds a face to the picture in view, and shows it. */
  async addFace(box) {
    this.commit();
    await this.#busy;
    if (!this.#canSave()) return false;
    const { image, no_face: hasNone } = this.doc;
    const face = freeName(this.queue, image.name);
    const revision = await revisionOf(face) + 1;
    if (hasNone) this.#setNoFace(false);
    this.outbox.add({
      id: newId(), face, repeat: 0, revision, op: "add", origin: "hand",
      seconds: this.#seconds(), image: { from: null, to: image.name }, box: { from: null, to: box },
    });
    if (!(await this.outbox.settled())) return false;
    await this.loadQueue(this.order);
    await this.open(this.find(face));
    return true;
  }

  #seconds() {
    const now = performance.now();
    const passed = Math.min((now - this.#since) / 1000, LONGEST_STEP);
    this.#since = now;
    return Math.round(passed * 10) / 10;
  }

  #markEntry() {
    const entry = this.queue[this.index], doc = this.doc;
    if (!entry || entry.face !== doc.face) return;
    const state = doc.removed ? "removed" : doc.no_face ? "no_face" : doc.done ? "done"
      : doc.revision ? "begun" : "todo";
    const isDone = (it) => it !== "todo" && it !== "begun";
    const more = Number(isDone(state)) - Number(isDone(entry.state));
    this.counts = { ...this.counts, done: this.counts.done + more, left: this.counts.left - more };
    Object.assign(entry, { state, labelled: doc.labelled });
    this.tell("queue");
  }

  #acknowledged(gesture, answer) {
    const doc = this.doc;
    if (!doc || gesture.face !== doc.face || gesture.repeat !== doc.repeat) return;
    if (answer.revision !== doc.revision) return;
    doc.can_undo = answer.can_undo;
    doc.can_redo = answer.can_redo;
    const { op, origin, seconds, revision } = gesture;
    const points = Object.keys(gesture.points ?? {}).length;
    const time = new Date().toISOString();
    doc.history = [...(doc.history ?? []), { time, op, origin, points, seconds, revision }];
    this.tell("history");
  }

  // Undo and redo are done by the server, which has all gestures on the face

  undo() {
    return this.#again("undo");
  }

  redo() {
    return this.#again("redo");
  }

  async #again(way) {
    await this.commit();
    this.#steps += 1;
    const turn = this.#busy.then(() => this.#step(way));
    this.#busy = turn.catch(() => {}).finally(() => { this.#steps -= 1; });
    return turn;
  }

  async #step(way) {
    if (!(await this.outbox.settled())) {
      announce(`The server does not answer; ${way} waits until it does.`, { isError: true });
      return false;
    }
    if (!(way === "undo" ? this.doc.can_undo : this.doc.can_redo)) {
      announce(`Nothing to ${way}.`);
      return false;
    }
    const { face, repeat, revision } = this.doc;
    try {
      this.show(await post(way, { face, repeat, revision }));
      announce(way === "undo" ? "Undone." : "Done again.");
      return true;
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (error.status === 409 && error.body?.current) {
        this.show(error.body.current);
        announce("This face was changed elsewhere; here it is as it is now.", { isError: true });
      } else {
        announce(`${way} failed: ${error.message}`, { isError: true });
      }
      return false;
    }
  }

  // Another revision of a face than the one that was changed here

  async #refused(held, error) {
    const { face, repeat } = held[0];
    const isPicture = held.every((it) => it.op === "no_face");
    let current = error.body?.current ?? null;
    try {
      current ??= await get("face", { face, repeat });
    } catch {
      current = null;
    }
    const theirs = current && new FaceDocument(current, this.names);
    const rows = outcome(held)
      .map((row) => ({ ...row, theirs: theirs ? theirs.valueOf(row.field, row.name) : row.from }))
      .filter((row) => !sameValue(row.theirs, row.to));
    const mine = rows.length ? await this.decide({ face, repeat, current, rows, error }) : [];
    await this.outbox.drop(held);
    if (current && !isPicture) this.show(current);
    if (theirs) for (const gesture of gesturesOf(theirs, mine)) this.outbox.add(gesture);
    const isShown = this.doc && this.doc.face === face && this.doc.repeat === repeat;
    if (isShown && current && mine.length) {
      this.doc = this.#withUnsaved(current);
      this.proposals.begin();
    }
    this.tell("points");
  }
}
