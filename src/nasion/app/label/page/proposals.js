// Where the network expects points that nobody has placed: fetched, and refitted after corrections.

import { get, post } from "./api.js";
import { announce } from "./dom.js";

const POLL = 500;  // ms

export class Proposals {
  #isAsking = false;
  #again = false;

  constructor(labelling) {
    this.labelling = labelling;
  }

  /** For a face that is newly in view. */
  begin() {
    const { doc } = this.labelling;
    if (doc.pending && !doc.isBlind) this.#poll(doc);
    else if (doc.base && doc.touched.some((it, i) => it && doc.points[i])) this.refit();
  }

  #poll(doc) {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      if (this.labelling.doc !== doc) return;
      const answer = await get("face", { face: doc.face, repeat: doc.repeat }).catch(() => null);
      if (this.labelling.doc !== doc) return;
      if (!answer || answer.pending) return this.#poll(doc);
      this.#take(doc, answer);
    }, POLL);
  }

  #take(doc, answer) {
    doc.pending = false;
    doc.doubt = answer.doubt;
    const isFound = doc.is_new && !doc.box && Boolean(answer.box);
    if (isFound) doc.box = answer.box;
    doc.takeProposal(answer.proposal);
    if (doc.hollow.length) announce(`${doc.hollow.length} points are proposed.`, { soon: true });
    this.labelling.tell("points");
    this.labelling.tell("proposed", isFound);
    if (doc.touched.some(Boolean)) this.refit();
  }

  /** The network has learnt: ask anew for the face in view; what was touched stays. */
  async renew() {
    const { doc } = this.labelling;
    if (!doc || doc.isBlind) return;
    const answer = await get("face", { face: doc.face, repeat: doc.repeat });
    if (this.labelling.doc !== doc) return;
    if (answer.pending) this.#poll(doc);
    else this.#take(doc, answer);
  }

  /** For a box that was drawn or corrected. */
  async forBox(box) {
    const { doc } = this.labelling;
    try {
      const proposal = await post("propose", { image: doc.image.name, box });
      if (this.labelling.doc === doc) this.#take(doc, { ...doc, proposal });
    } catch (error) {
      announce(`No proposal: ${error.message}`, { isError: true });
    }
  }

  /** Moves the proposals that nobody has touched to where they are expected now. */
  async refit() {
    const { doc, names } = this.labelling;
    if (!doc?.base || doc.isBlind || !doc.hollow.length) return;
    if (this.#isAsking) {
      this.#again = true;
      return;
    }
    this.#isAsking = true;
    try {
      const suspects = new Set(doc.suspect?.points ?? []);
      const placed = {};
      for (const [i, value] of doc.points.entries()) {
        const isTrusted = doc.touched[i] || !suspects.has(i);
        if (value && isTrusted) placed[names[i]] = value.slice(0, 2);
      }
      if (!Object.keys(placed).length) {
        doc.shown = doc.base;
      } else {
        const answer = await post("refit", { face: doc.face, placed, base: doc.base });
        if (this.labelling.doc === doc && !this.#again) doc.shown = answer.points;
      }
      this.labelling.tell("points");
    } catch {
      // Proposals stay where they were; saving says it if the server is gone.
    } finally {
      this.#isAsking = false;
      if (this.#again) {
        this.#again = false;
        this.refit();
      }
    }
  }
}
