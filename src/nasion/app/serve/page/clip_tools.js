// What is made of a clip on the server: the clip with what was found drawn in, its crops, and the clip without its faces.

import { Cancelled, download, send, withoutSuffix } from "./requests.js";
import { displayed } from "./settings.js";
import { cropQuery, cropStem, hideQuery, Latest, noteOf } from "./tools.js";

const byId = (id) => document.getElementById(id);
// What the page draws, as the server names it.
const MARKS = { points: "points", edges: "lines", filled: "fill", boxes: "boxes", captions: "scores,tracks", axes: "axes" };

const say = (id, text) => { byId(id).textContent = text; };

/**
 * A button that has something made of a clip, and cancels that while it lasts.
 * `note`: the id of a text beside it; `idle()`: what it says when nothing is made.
 */
class ClipButton {
  constructor(id, note, make, idle = () => "") {
    this.button = byId(id);
    this.label = this.button.textContent;
    this.note = note;
    this.idle = idle;
    this.latest = new Latest();
    this.button.addEventListener("click", () => (this.latest.running ? this.cancel() : this.run(make)));
  }

  cancel() {
    this.latest.cancel();
    say(this.note, this.idle());
  }

  async run(make) {
    this.button.textContent = "Cancel";
    try {
      await this.latest.run(make);
    } catch (error) {
      // Of what is cancelled nothing is said: the note may be that of another image now.
      if (!(error instanceof Cancelled)) say(this.note, error.message);
    } finally {
      if (!this.latest.running) this.button.textContent = this.label;
    }
  }
}

const problemsOf = (header) => (header("Nasion-Problems") ? `Of the clip: ${header("Nasion-Problems")}.` : "");
const ending = (blob) => (blob.type === "video/x-matroska" ? "mkv" : "mp4");
const saveAs = (blob, clip, what) => download(blob, `${withoutSuffix(clip.name)}-${what}.${ending(blob)}`);

/** `clip()`: the result of page.js that is shown, or null if it is no clip. */
export class DrawTool {
  constructor(clip, network) {
    this.clip = clip;
    this.network = network;
    this.shown = null;
    this.button = new ClipButton("save-clip", "clip-note", (signal) => this.save(signal));
  }

  /** Another image is shown. */
  open() {
    const clip = this.clip();
    byId("save-clip").hidden = !clip;
    if (clip === this.shown) return;
    this.shown = clip;
    this.button.latest.cancel();
    say("clip-note", "");
  }

  query() {
    const display = displayed(), measures = this.network.measures && byId("measures").checked;
    const marks = Object.keys(MARKS).filter((id) => display[id] && (id !== "axes" || measures)).map((id) => MARKS[id]);
    if (display.labels !== "none") marks.push(display.labels);
    if (!marks.length) throw new Error("Nothing would be drawn; switch on points, lines or others.");
    const query = { ...this.clip().query, format: "video", draw: marks.join(","), smooth: byId("smooth").checked };
    return { ...query, hide_occluded: display.hideOccluded, ...(measures ? { measures } : {}) };
  }

  async save(signal) {
    const clip = this.clip(), query = this.query();
    say("clip-note", "Drawing the clip ...");
    const { blob, header } = await send("v1/clips", query, clip.file, { field: "clip", signal });
    say("clip-note", problemsOf(header));
    saveAs(blob, clip, "points");
  }
}

/** Beside `CropTool`, whose preview and buttons are for photos. */
export class CropClipTool {
  constructor(clip) {
    this.clip = clip;
    this.shown = null;
    this.button = new ClipButton("save-clip-crops", "crop-note", (signal) => this.save(signal), () => this.summary());
    for (const id of ["crop-template", "crop-size", "crop-margin", "crop-padding", "crop-every"]) byId(id).addEventListener("input", () => this.clear());
  }

  /** Another image is shown. */
  open() {
    const clip = this.clip();
    for (const id of ["crop-face-choice", "save-crop", "save-crops"]) byId(id).hidden = Boolean(clip);
    for (const id of ["crop-every-choice", "save-clip-crops"]) byId(id).hidden = !clip;
    if (clip !== this.shown) this.clear();
    this.shown = clip;
  }

  /** What is being made is of another clip, or of other settings. */
  clear() {
    this.button.latest.cancel();
    if (!this.clip()) return;
    byId("save-clip-crops").disabled = !this.count();
    say("crop-note", this.summary());
  }

  /** How many crops there will be. */
  count() {
    const every = Number(byId("crop-every").value) || 1;
    const cropped = this.clip().clip.frames.filter(({ image }) => Number(image.split("@").pop()) % every === 0);
    return cropped.reduce((sum, { faces }) => sum + faces.length, 0);
  }

  summary() {
    const { frames } = this.clip().clip, count = this.count(), side = byId("crop-size").value || byId("crop-size").placeholder;
    if (count) return `${count} crop${count === 1 ? "" : "s"}, ${side} x ${side} pixels.`;
    return frames.some(({ faces }) => faces.length) ? "No face was found in these frames." : "No face was found in this clip.";
  }

  async save(signal) {
    const clip = this.clip(), stem = cropStem(clip), every = byId("crop-every").value;
    const query = { ...cropQuery(clip), smooth: byId("smooth").checked, ...(every ? { every } : {}) };
    say("crop-note", "Cropping the clip ...");
    const { blob, header } = await send("v1/crops", query, clip.file, { field: "clip", signal });
    say("crop-note", [this.summary(), problemsOf(header)].join(" "));
    download(blob, `${stem}-crops.zip`);
  }
}

/** Beside `HideTool`, whose buttons are for photos; what is shown is what is saved. */
export class HideClipTool {
  constructor(clip) {
    this.clip = clip;
    this.shown = null;
    this.made = null;  // {clip, blob}
    this.note = "";
    this.button = new ClipButton("hide-clip", "hide-note", (signal) => this.make(signal));
    byId("save-hidden-clip").addEventListener("click", () => saveAs(this.made.blob, this.made.clip, "anonymised"));
    for (const id of ["hide-part", "hide-method", "hide-strength", "hide-sound"]) byId(id).addEventListener("input", () => this.clear());
    byId("hidden-clip").addEventListener("error", () => { byId("hidden-clip").hidden = true; });
  }

  /** Another image is shown. */
  open() {
    const clip = this.clip();
    for (const id of ["preview-hidden", "save-hidden"]) byId(id).hidden = Boolean(clip);
    for (const id of ["hide-clip", "save-hidden-clip", "hide-sound-choice"]) byId(id).hidden = !clip;
    if (clip !== this.shown) this.clear();
    this.shown = clip;
    if (clip) this.say(this.note);  // the other tool wrote there
  }

  /** What was made is of another clip, or of other settings. */
  clear() {
    this.button.latest.cancel();
    this.show(null);
    if (this.clip()) this.say("");
  }

  say(note) {
    this.note = note;
    say("hide-note", note);
  }

  show(made) {
    const video = byId("hidden-clip");
    if (this.made) URL.revokeObjectURL(video.src);
    this.made = made;
    byId("save-hidden-clip").disabled = video.hidden = !made;
    if (made) video.src = URL.createObjectURL(made.blob);
    else video.removeAttribute("src");
  }

  async make(signal) {
    this.show(null);
    const clip = this.clip(), query = { ...hideQuery(clip), sound: byId("hide-sound").checked };
    this.say("Hiding faces; every frame is searched ...");
    const { blob, header } = await send("v1/anonymise", query, clip.file, { field: "clip", signal });
    this.show({ clip, blob });
    this.say(noteOf("clip", header));
  }
}
