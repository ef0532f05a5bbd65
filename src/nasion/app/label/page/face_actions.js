// From face to face: next, previous, done, removed, no face.

import { announce, count } from "./dom.js";

export class FaceActions {
  #target = null;  // the face that is being opened
  #turn = Promise.resolve();
  #asked = null;  // the face that was asked for although proposals are left

  constructor(app) {
    this.app = app;
  }

  get labelling() {
    return this.app.labelling;
  }

  /** One after another; of faces that are asked for meanwhile only the last is opened. */
  open(index) {
    const { labelling } = this;
    if (index < 0 || index >= labelling.queue.length) {
      announce(index < 0 ? "This is the first face." : "This is the last face.");
      return Promise.resolve();
    }
    this.#target = index;
    this.#turn = this.#turn.then(() => (this.#target === index ? this.#open(index) : undefined));
    return this.#turn;
  }

  async #open(index) {
    try {
      await this.labelling.open(index);
    } catch (error) {
      announce(`The face cannot be opened: ${error.message}`, { isError: true });
    } finally {
      if (this.#target === index) this.#target = null;
    }
  }

  go(step) {
    return this.open((this.#target ?? this.labelling.index) + step);
  }

  /** The next face in the order that is not finished. */
  nextOpen() {
    const { queue, index } = this.labelling;
    const isOpen = (it) => it.state === "todo" || it.state === "begun";
    const order = [...queue.keys()];
    const next = [...order.slice(index + 1), ...order.slice(0, Math.max(index, 0))]
      .find((i) => isOpen(queue[i]));
    if (next === undefined) return announce("Every face is done.");
    return this.open(next);
  }

  /** Shift-Enter: done, and on to the next open face. Proposals that are left need a second press.
   */
  async finish() {
    const { labelling } = this, { doc } = labelling;
    if (!doc.done) {
      const left = doc.hollow.length;
      if (left && this.#asked !== doc.key) {
        this.#asked = doc.key;
        announce(`${count(left, "point")} still proposed: Shift-A accepts them; `
          + "done again leaves them without a label.", { isError: true });
        return;
      }
      this.#asked = null;
      if (!(await labelling.set("done", "done", true))) return;
      announce("Done.");
    }
    await this.nextOpen();
    labelling.refreshQueue();
  }

  async toggleDone() {
    const { doc } = this.labelling;
    if (!doc.done) return this.finish();
    await this.labelling.set("done", "done", false);
    announce("Not done.");
  }

  async toggleRemoved() {
    const { doc } = this.labelling;
    const op = doc.removed ? "restore" : "remove";
    if (!(await this.labelling.set(op, "removed", !doc.removed))) return;
    announce(doc.removed ? "This face is left out." : "This face counts again.");
  }

  async toggleNoFace() {
    const { doc } = this.labelling;
    const to = !doc.no_face;
    if (await this.labelling.setNoFace(to)) {
      announce(to ? "No face in this picture." : "There is a face in this picture.");
    }
  }
}
