// Two versions of one face: both are shown, and a person chooses, value by value if need be.

import { byId, element, readable } from "./dom.js";
import { shownPlace } from "./face_document.js";
import { paintMark, paintSelection } from "./marks.js";
import { View, boxAround, grown } from "./view.js";

const OURS = "#ffe45c", THEIRS = "#56b4e9";

export class ConflictDialog {
  constructor(app) {
    this.app = app;
    this.dialog = byId("conflict-dialog");
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    // Browsers let a second Escape close it all the same: it stays until somebody has chosen.
    this.dialog.addEventListener("close", () => { if (this.isAsking) this.dialog.showModal(); });
  }

  /** Resolves to the rows whose version of this page stays. */
  decide({ face, current, rows, error }) {
    byId("conflict-face").textContent = face;
    byId("conflict-why").textContent = error.status === 409
      ? "This face was changed elsewhere after this page had loaded it. "
        + "Nothing is overwritten until you choose."
      : `The server did not take a change: ${error.message}.`;
    byId("conflict-rows").replaceChildren(...rows.map((row, k) => this.#row(row, k)));
    this.#draw(current, rows);
    this.isAsking = true;
    this.dialog.showModal();
    return new Promise((resolve) => {
      const choose = (chosen) => {
        this.isAsking = false;
        this.dialog.close();
        resolve(chosen);
      };
      byId("conflict-theirs").onclick = () => choose([]);
      byId("conflict-mine").onclick = () => choose(rows);
      byId("conflict-chosen").onclick = () => choose(
        rows.filter((_, k) => this.#chosen(k) === "mine"),
      );
    });
  }

  #chosen(k) {
    return this.dialog.querySelector(`input[name=version-${k}]:checked`)?.value;
  }

  #row(row, k) {
    const choice = (version, value) => element("label", { class: "version" },
      element("input", {
        type: "radio", name: `version-${k}`, value: version, checked: version === "mine",
      }), element("span", { textContent: shown(row.field, value) }));
    const name = row.field === "points" ? row.name : row.field;
    return element("tr", {},
      element("th", { scope: "row", textContent: readable(name) }),
      element("td", {}, choice("theirs", row.theirs)),
      element("td", {}, choice("mine", row.to)));
  }

  async #draw(current, rows) {
    const points = rows.filter((row) => row.field === "points");
    const hasBoth = Boolean(current && points.length);
    byId("conflict-picture-theirs").hidden = byId("conflict-picture-mine").hidden = !hasBoth;
    if (!hasBoth) return;
    const image = await this.app.images.load(current.image).catch(() => null);
    const mine = current.points.map((value, i) => {
      const row = points.find((it) => it.name === this.app.labelling.names[i]);
      return row ? row.to : value;
    });
    const differing = points.map((row) => this.app.labelling.names.indexOf(row.name));
    const around = boxAround([...current.points, ...mine, ...corners(current.box)]);
    const paint = (id, values, colour) =>
      paintFace(byId(id), image, values, differing, around, colour);
    paint("conflict-picture-theirs", current.points, THEIRS);
    paint("conflict-picture-mine", mine, OURS);
  }
}

const corners = (box) => (box ? [box.slice(0, 2), box.slice(2)] : []);

function shown(field, value) {
  if (field === "points") return value ? `${shownPlace(value)}, ${value[2]}` : "missing";
  if (field === "box") return value ? value.map((it) => it.toFixed(1)).join(", ") : "none";
  if (field === "confirmed") return value ? value.map(readable).join(", ") : "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === "" || value === null ? "empty" : String(value);
}

/** A face with its points, those in `marked` set off; used for small pictures. */
export function paintFace(canvas, image, values, marked, around, colour) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth || 260, height = canvas.clientHeight || 240;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d"), view = new View();
  context.scale(ratio, ratio);
  if (!around) return;
  view.fit(grown(around, 0.1), [width, height], 0.02);
  if (image) {
    context.imageSmoothingQuality = "high";
    const [wide, high] = [image.width * view.scale, image.height * view.scale];
    context.drawImage(image.bitmap, view.x, view.y, wide, high);
  }
  const isMarked = new Set(marked);
  values.forEach((value, i) => {
    if (!value) return;
    const place = view.toStage(value);
    if (isMarked.has(i)) paintSelection(context, place, 4);
    paintMark(context, value[2] ?? "visible", place, isMarked.has(i) ? 4 : 2, colour);
  });
}
