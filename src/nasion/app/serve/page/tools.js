// What is made of a photo on the server: aligned crops, and the photo without its faces.

import { Cancelled, download, send, withoutSuffix } from "./requests.js";

const WAIT = 250;  // milliseconds after a change until it is asked for
const byId = (id) => document.getElementById(id);
const say = (id, text) => { byId(id).textContent = text; };
const NO_CROPS = "Choose a photo or clip first; the camera is not cropped here.";
const NOTHING_TO_HIDE = "Choose a photo or clip first; the camera is not changed here.";

/** One request at a time: a newer one cancels the one before. */
export class Latest {
  constructor() { this.running = null; }

  async run(task) {
    this.cancel();
    const own = this.running = new AbortController();
    try {
      return await task(own.signal);
    } finally {
      if (this.running === own) this.running = null;
    }
  }

  cancel() {
    this.running?.abort();
    this.running = null;
  }
}

/** `photo()`, `clip()`: the result of page.js that is shown, or null if it is no photo or no clip. */
export class CropTool {
  constructor(photo, clip, network) {
    this.photo = photo;
    this.clip = clip;
    this.sizes = network.crop_templates;
    this.latest = new Latest();
    this.timer = 0;
    byId("crop-size").max = network.limits.crop_size;
    byId("crop-template").replaceChildren(...Object.keys(this.sizes).map((name) => new Option(name, name)));
    byId("crops").hidden = !Object.keys(this.sizes).length;
    byId("crops").addEventListener("toggle", () => this.refresh());
    for (const id of ["crop-face", "crop-template", "crop-size", "crop-margin", "crop-padding"]) {
      byId(id).addEventListener("input", () => this.refresh());
    }
    byId("save-crop").addEventListener("click", () => this.save(byId("crop-face").value));
    byId("save-crops").addEventListener("click", () => this.save(null));
  }

  /** Another image is shown. */
  open() {
    const count = this.photo()?.faces.length || 0;
    const numbers = Array.from({ length: count }, (_, k) => String(k + 1));
    if (byId("crop-face").options.length !== count) byId("crop-face").replaceChildren(...numbers.map((k) => new Option(k, k)));
    byId("save-crop").disabled = byId("save-crops").disabled = !count;
    this.refresh();
  }

  query(face) {
    const query = cropQuery(this.photo());
    return face === null ? query : { ...query, face };
  }

  refresh() {
    clearTimeout(this.timer);
    this.latest.cancel();
    byId("crop-size").placeholder = this.sizes[byId("crop-template").value];
    if (this.clip()) byId("crop-preview").hidden = true;
    if (!byId("crops").open || this.clip()) return;
    const photo = this.photo();
    if (!photo?.faces.length) {
      byId("crop-preview").hidden = true;
      say("crop-note", photo ? "No face was found in this photo." : NO_CROPS);
      return;
    }
    this.timer = setTimeout(() => this.preview(), WAIT);
  }

  async preview() {
    const face = byId("crop-face").value, image = byId("crop-preview");
    try {
      const { blob } = await this.latest.run((signal) => send("v1/crops", this.query(face), this.photo().file, { signal }));
      URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(blob);
      image.alt = `Aligned crop of face ${face}`;
      await image.decode();
      image.hidden = false;
      say("crop-note", `${image.naturalWidth} x ${image.naturalHeight} pixels`);
    } catch (error) {
      if (error instanceof Cancelled) return;
      image.hidden = true;
      say("crop-note", error.message);
    }
  }

  async save(face) {
    const photo = this.photo(), stem = cropStem(photo);
    try {
      const { blob } = await send("v1/crops", this.query(face), photo.file);
      download(blob, face === null ? `${stem}-crops.zip` : `${stem}-${face}.png`);
    } catch (error) {
      say("crop-note", error.message);
    }
  }
}

/** `show()`: draws the photo again; what it is drawn from is `preview`, if that is not null. */
export class HideTool {
  constructor(photo, network, show) {
    this.photo = photo;
    this.show = () => { this.showCopy(); show(); };
    this.latest = new Latest();
    this.made = null;  // {photo, key, blob, bitmap, note}
    this.timer = 0;
    byId("hide-strength").max = network.limits.strength;
    byId("hide-part").replaceChildren(...network.parts_to_hide.map((part) => new Option(part === "face" ? "whole face" : part, part)));
    byId("preview-hidden").addEventListener("click", () => this.toggle());
    byId("save-hidden").addEventListener("click", () => this.save());
    for (const id of ["hide-part", "hide-method", "hide-strength"]) byId(id).addEventListener("input", () => this.change());
    byId("hide").addEventListener("toggle", () => { if (!byId("hide").open && this.isOn) this.toggle(); });
  }

  get isOn() {
    return byId("preview-hidden").getAttribute("aria-pressed") === "true";
  }

  /** The photo without its faces, if it is to be shown. */
  get preview() {
    return this.isOn && this.made?.photo === this.photo() ? this.made.bitmap : null;
  }

  /** Another image is shown. */
  open() {
    const photo = this.photo();
    byId("preview-hidden").disabled = byId("save-hidden").disabled = !photo;
    if (!photo) this.press(false);
    if (!photo || this.made?.photo !== photo) say("hide-note", photo ? "" : NOTHING_TO_HIDE);
    if (this.isOn && this.made?.photo !== photo) this.change();
    this.showCopy();
  }

  /** On narrow screens the image is out of sight from here, so the panel has a copy. */
  showCopy() {
    const copy = byId("hidden-copy"), isShown = Boolean(this.preview);
    copy.hidden = !isShown;
    if (!isShown || copy.of === this.made) return;
    copy.of = this.made;
    URL.revokeObjectURL(copy.src);
    copy.src = URL.createObjectURL(this.made.blob);
  }

  press(on) {
    byId("preview-hidden").setAttribute("aria-pressed", String(on));
  }

  change() {
    byId("hide-strength").disabled = byId("hide-method").value === "fill";
    clearTimeout(this.timer);
    if (this.isOn) this.timer = setTimeout(() => this.make().then(() => this.show()), WAIT);
  }

  toggle() {
    this.press(!this.isOn);
    this.show();
    if (this.isOn) this.make().then(() => this.show());
  }

  /** Asks the server, unless it has answered this before; what is previewed is what is saved. */
  async make() {
    const photo = this.photo(), query = hideQuery(photo), key = JSON.stringify(query);
    if (this.made?.photo === photo && this.made.key === key) return this.made;
    say("hide-note", "Hiding ...");
    try {
      const { blob, header } = await this.latest.run((signal) => send("v1/anonymise", query, photo.file, { signal }));
      const bitmap = await createImageBitmap(blob);
      this.made = { photo, key, blob, bitmap };
      say("hide-note", noteOf("photo", header));
      return this.made;
    } catch (error) {
      if (error instanceof Cancelled) return null;
      this.made = null;
      this.press(false);
      say("hide-note", error.message);
      return null;
    }
  }

  async save() {
    const made = await this.make();
    if (!made) return;
    const ending = made.blob.type === "image/png" ? "png" : "jpg";
    download(made.blob, `${withoutSuffix(made.photo.name)}-anonymised.${ending}`);
  }
}

/** How the faces of a photo or clip are to be cropped. */
export function cropQuery(result) {
  const query = { ...result.query, template: byId("crop-template").value };
  for (const name of ["size", "margin", "padding"]) {
    if (byId(`crop-${name}`).value) query[name] = byId(`crop-${name}`).value;
  }
  return query;
}

export const cropStem = (result) => `${withoutSuffix(result.name)}-${byId("crop-template").value}`;

/** What is to be hidden of a photo or clip, and how. */
export function hideQuery(result) {
  const method = byId("hide-method").value;
  const query = { part: byId("hide-part").value, method, any_rotation: result.query.any_rotation };
  return method === "fill" ? query : { ...query, strength: byId("hide-strength").value };
}

/** `what`: photo or clip; `header(name)`: of the answer of /v1/anonymise. */
export function noteOf(what, header) {
  const faces = Number(header("Nasion-Faces-Hidden")), stillFound = header("Nasion-Face-Still-Found");
  const problems = header("Nasion-Problems") ? ` Of the ${what}: ${header("Nasion-Problems")}.` : "";
  if (!faces) return `No face was found, so nothing is hidden. Look at the ${what} before you publish it.${problems}`;
  const hidden = `${faces} face${faces === 1 ? "" : "s"} hidden`, frames = header("Nasion-Frames-Still-Found");
  const where = frames ? ` in ${frames} frame${frames === "1" ? "" : "s"}` : "";
  if (stillFound === "true") return `${hidden}, but a face is still found${where}: choose more strength, or black.${problems}`;
  const checked = stillFound === "false" ? ", and none is found in the result" : "";
  return `${hidden}${checked}. Look at it before you publish it.${problems}`;
}
