// About the face in view: what is suspected, its note, other faces of its image, its history.

import { byId, button, count, element, readable } from "./dom.js";
import { get } from "./api.js";
import { STATES } from "./queue.js";

const REMEDIES = {
  "sides exchanged": ["Swap sides (W)", (app) => app.points.swapSides()],
  "contour backwards": ["Reverse contour (R)", (app) => app.points.reverse()],
  "contour off by one": ["Shift by one (, or .)", (app) => app.points.shiftToFit()],
  "points exchanged": ["Exchange them", (app, suspect) => app.points.exchange(suspect.points)],
};
const OPS = {
  place: "placed", move: "moved", mark: "marked", accept: "accepted", fill: "filled",
  box: "box changed",
  transform: "moved together", slide: "slid", reverse: "contour reversed", swap: "sides swapped",
  add: "face added", remove: "left out", restore: "restored", no_face: "no face",
  done: "done changed",
  note: "note changed", confirm: "confirmed", undo: "undone", redo: "done again", merge: "merged",
};
const MOST = 40;  // lines of history that are shown

export class FacePanel {
  constructor(app) {
    this.app = app;
    const { labelling } = app, note = byId("note");
    note.addEventListener("change", () => labelling.set("note", "note", note.value.trim()));
    byId("done").onclick = () => app.faces.toggleDone();
    byId("remove").onclick = () => app.faces.toggleRemoved();
    byId("no-face").onclick = () => app.faces.toggleNoFace();
    byId("add-face").onclick = () => app.boxMode(true);
    byId("edit-box").onclick = () => app.boxMode(false);
    labelling.on("face", () => this.#face());
    labelling.on("face points history", () => this.#state());
    labelling.on("face history", () => this.#history());
    labelling.on("face queue", () => this.#others());
  }

  #face() {
    const { doc } = this.app.labelling;
    byId("face-name").textContent = doc.face;
    byId("face-name").title = doc.face;
    byId("note").value = doc.note ?? "";
    byId("blind").hidden = !doc.isBlind;
  }

  #state() {
    const { doc } = this.app.labelling;
    byId("done").setAttribute("aria-pressed", String(Boolean(doc.done)));
    byId("done").textContent = doc.done ? "✓ Done" : "Done";
    byId("remove").textContent = doc.removed ? "Restore this face" : "Leave this face out";
    byId("no-face").setAttribute("aria-pressed", String(Boolean(doc.no_face)));
    const hasFaces = doc.has_faces && !doc.no_face;
    byId("no-face").disabled = doc.isBlind || hasFaces;
    byId("no-face").title = hasFaces ? "It has faces: leave them out instead." : "";
    byId("undo").disabled = !doc.can_undo;
    byId("redo").disabled = !doc.can_redo;
    if (document.activeElement !== byId("note")) byId("note").value = doc.note ?? "";
    const isSet = doc.removed || doc.no_face;
    byId("left-out").hidden = !isSet;
    byId("left-out").textContent = doc.no_face ? "This picture is marked as having no face."
      : "This face is left out of the data.";
    this.#suspect(doc);
  }

  #suspect(doc) {
    const { suspect } = doc, banner = byId("suspect");
    const isOpen = (i) => !doc.touched[i] && !doc.confirmed.includes(doc.names[i]);
    const isLeft = suspect?.points.some(isOpen);
    banner.hidden = !isLeft;
    if (!isLeft) return;
    const part = this.#partOf(suspect.points);
    const where = part ? `${part}: ` : "";
    const [text, run] = REMEDIES[suspect.kind]
      ?? ["Take the proposal (Shift-A)", (app) => app.points.acceptAll()];
    banner.replaceChildren(
      element("span", {}, element("b", { textContent: "⚠ Suspect. " }),
        `${where}${suspect.kind}, chance ${Number(suspect.chance).toFixed(2)}`),
      button(text, () => this.#withSuspects(suspect, run)),
      button("Labels are right (C)",
        () => this.#withSuspects(suspect, (app) => app.points.confirm())),
    );
  }

  #withSuspects(suspect, run) {
    this.app.labelling.select(-1, new Set(suspect.points));
    run(this.app, suspect);
  }

  #partOf(points) {
    const { parts, contours } = this.app.labelling.scheme;
    if (points.length === 1) return readable(this.app.labelling.names[points[0]]);
    if (points.length > this.app.labelling.names.length / 2) return "whole face";
    const isAround = (it) => points.every((i) => it.points.includes(i));
    const around = contours.find(isAround) ?? parts.find(isAround);
    return around ? readable(around.name) : count(points.length, "point");
  }

  #history() {
    const { doc, session } = this.app.labelling;
    const lines = [...(doc.history ?? [])].reverse().slice(0, MOST).map((it) => {
      const time = new Date(it.time), when = isNaN(time) ? it.time : time.toLocaleString();
      const what = OPS[it.op] ?? it.op, points = it.points ? `, ${count(it.points, "point")}` : "";
      const from = it.origin && it.origin !== "hand" ? ` from ${it.origin}` : "";
      return element("li", {}, element("span", { textContent: `${what}${points}${from}` }),
        element("time", { textContent: `${it.who ?? doc.who ?? session.who}, ${when}` }));
    });
    byId("history").replaceChildren(...(lines.length ? lines
      : [element("li", { textContent: "Nothing was changed yet." })]));
  }

  // Other faces of the image

  async #others() {
    const { labelling, drawing } = this.app, { doc, queue } = labelling;
    if (!doc) return;
    const all = queue.map((it, i) => ({ ...it, i }))
      .filter((it) => it.image === doc.image.name && !it.repeat);
    byId("faces").replaceChildren(...all.map((it, n) => element("li", {},
      button(`Face ${n + 1}${it.face === doc.face ? " (in view)" : ""}: ${STATES[it.state][1]}`,
        () => this.app.faces.open(it.i), { "aria-current": String(it.face === doc.face) }))));
    byId("faces-count").textContent = all.length > 1 ? ` (${all.length})` : "";
    const others = doc.isBlind ? [] : all.filter((it) => it.face !== doc.face).slice(0, 30);
    const key = others.map((it) => `${it.face} ${it.state} ${it.labelled}`).join("\n") + doc.key;
    if (key === this.shown) return;
    this.shown = key;
    const asked = others.map(({ face }) => get("face", { face, repeat: 0 }).catch(() => null));
    const answers = await Promise.all(asked);
    if (labelling.doc !== doc) return;
    drawing.others = answers.filter((it) => it && !it.removed).map((it) => ({
      face: it.face, box: it.box, points: it.points,
      label: `face ${all.findIndex((other) => other.face === it.face) + 1}`,
    }));
    drawing.request("points");
  }
}
