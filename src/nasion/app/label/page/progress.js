// How far the work is, and who did it.

import { get } from "./api.js";
import { byId, count, element } from "./dom.js";

const duration = (seconds) => {
  if (!seconds) return "–";
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
};

export class ProgressDialog {
  constructor() {
    byId("progress").onclick = () => this.open();
  }

  async open() {
    const dialog = byId("progress-dialog"), told = byId("progress-text");
    dialog.showModal();
    try {
      this.#show(await get("progress"));
    } catch (error) {
      told.textContent = error.message;
    }
  }

  #show(answer) {
    const { done, begun, left, by_person: people, per_face_seconds: each, repeats } = answer;
    const lines = [`${count(done, "face")} done, ${begun} begun, ${left} left.`];
    if (each) {
      const rest = duration(each * left);
      lines.push(`A face takes ${duration(each)} (median); what is left about ${rest}.`);
    }
    if (repeats?.faces) {
      const apart = repeats.median_px === null ? ""
        : `: the two labels of a point lie ${repeats.median_px.toFixed(1)} px apart (median)`;
      lines.push(`${count(repeats.faces, "face")} labelled twice${apart}.`);
    }
    byId("progress-text").replaceChildren(...lines.map((it) => element("p", { textContent: it })));
    byId("progress-people").replaceChildren(...people.map((it) => element("tr", {},
      element("th", { scope: "row", textContent: it.who }),
      element("td", { textContent: it.faces_done }),
      element("td", { textContent: it.points_changed }),
      element("td", { textContent: duration(it.seconds) }))));
  }
}
