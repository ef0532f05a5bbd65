// Sends gestures in the order in which they were made, and again until the server has them.
// A gesture has an id, so that one that is sent twice is recorded once.

import { post } from "./api.js";
import { holdTab, StoredGestures } from "./stored.js";

const LONGEST_WAIT = 8_000;  // ms between two tries

export const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

export class Outbox {
  #queue = [];
  #work = null;  // the loop that sends, while it runs
  #wake = null;  // ends its pause
  #idle = [];  // to be told when everything is saved, or that it cannot be now

  /** `told(state)`: {unsaved, saved, problem}, whenever it changes. `refused(gestures, error)`: the
   *  server has another revision of their face, or does not take the first of them. */
  constructor(list, { told, refused }) {
    this.tab = newId();
    this.stored = new StoredGestures(list);
    this.told = told;
    this.refused = refused;
    this.saved = null;
    this.problem = null;
    this.undecided = 0;  // gestures on which a person has to decide
  }

  async open() {
    await holdTab(this.tab);
    this.isStoring = await this.stored.open();
    this.#queue = await this.stored.adopt(this.tab);
    for (const name of ["online", "focus"]) addEventListener(name, () => this.#wake?.());
    if (this.#queue.length) this.#send();
    this.#tell();
  }

  get unsaved() {
    return this.#queue.length;
  }

  /** Unsaved gestures on a face, oldest first. */
  of(face, repeat) {
    return this.#queue.filter((it) => it.face === face && it.repeat === repeat);
  }

  add(gesture) {
    const entry = { ...gesture, at: Date.now() + performance.now() / 1e6 };
    this.#queue.push(entry);
    entry.put = this.stored.put({ ...entry }, this.tab);
    this.#tell();
    this.#send();
  }

  /** Forgets gestures; a person has decided against them, or they were made anew. */
  async drop(gestures) {
    const gone = new Set(gestures.map((it) => it.id));
    this.#queue = this.#queue.filter((it) => !gone.has(it.id));
    await Promise.all([...gone].map((id) => this.stored.remove(id)));
    this.#tell();
  }

  /** True once all is saved; false as soon as a try has failed. */
  settled() {
    if (!this.#queue.length) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#wake?.();
    });
  }

  #tell() {
    const { saved, problem, undecided } = this;
    this.told({ unsaved: this.#queue.length, saved, problem, undecided });
  }

  #release(isSaved) {
    for (const resolve of this.#idle.splice(0)) resolve(isSaved);
  }

  #send() {
    this.#work ??= this.#loop().finally(() => {
      this.#work = null;
      if (this.#queue.length) this.#send();
    });
  }

  async #loop() {
    let wait = 500;
    while (this.#queue.length) {
      const { put, at, ...gesture } = this.#queue[0];
      try {
        const answer = await post("gesture", gesture);
        wait = 500;
        this.saved = answer.saved;
        this.problem = null;
        this.#queue = this.#queue.filter((it) => it.id !== gesture.id);
        Promise.resolve(put).then(() => this.stored.remove(gesture.id));
        this.acknowledged?.(gesture, answer);
        this.#tell();
        if (!this.#queue.length) this.#release(true);
      } catch (error) {
        if (!("status" in error)) throw error;
        if (error.status >= 400 && error.status < 500 && error.status !== 429) {
          this.#release(false);
          await this.#refuse(gesture, error);
          continue;
        }
        this.problem = error.message;
        this.#tell();
        this.#release(false);
        await this.#pause(wait);
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  /** All that is unsaved on the gesture's face waits for a person's decision; in the browser's
   *  store it stays until then. */
  async #refuse(gesture, error) {
    const held = this.of(gesture.face, gesture.repeat);
    this.#queue = this.#queue.filter((it) => !held.includes(it));
    this.undecided = held.length;
    this.#tell();
    await this.refused(held, error);
    this.undecided = 0;
    this.#tell();
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => { this.#wake = null; });
  }
}
