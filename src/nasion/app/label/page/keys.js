// Keys: which one does what, as the person has set them.

import { COMMANDS } from "./commands.js";
import { settings } from "./settings.js";

/** A key press as text, such as `Ctrl+Shift+z`. Shift counts with letters and named keys only:
 *  other signs already tell it. */
export function keyOf(event) {
  const isLetter = /^\p{L}$/u.test(event.key);
  const isNamed = event.key.length > 1;
  const key = isLetter ? event.key.toLowerCase() : event.key === " " ? "Space" : event.key;
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey && (isLetter || isNamed)) parts.push("Shift");
  return [...parts, key].join("+");
}

export const keysOf = (command) => settings.keys[command.id] ?? command.keys;

/** A single letter, digit or sign without Ctrl or Alt: such keys can be switched off. */
export const isCharacterKey = (key) =>
  !/^(Ctrl|Alt)\+/.test(key) && key.replace("Shift+", "").length === 1;

export const shownKey = (key) => key.replace(/^(.*\+)?([a-z])$/, (_, before, letter) =>
  (before ?? "") + letter.toUpperCase())
  .replace("Arrow", "").replaceAll("+", key === "+" ? "+" : "-");

const TYPING = "input:not([type=checkbox]):not([type=range]):not([type=radio]), textarea, select";

export class Keys {
  #released = new Map();  // by code: what to do when the key goes up

  constructor(app, stage) {
    this.app = app;
    this.stage = stage;
    document.addEventListener("keydown", (event) => this.#pressed(event));
    document.addEventListener("keyup", (event) => this.#up(event));
    addEventListener("blur", () => this.#releaseAll());
  }

  #pressed(event) {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.target.matches?.(TYPING)) return;
    const key = keyOf(event), isOnStage = document.activeElement === this.stage;
    if (key === "Escape") return this.#escape(event);
    if (key === "Space" && isOnStage) return this.#space(event);
    const command = this.#command(key, isOnStage);
    if (!command || !this.app.labelling.doc) return;
    if (key.endsWith("Tab") && this.isLeaving) return;
    if (command.release) {
      event.preventDefault();
      if (event.repeat) return;
      this.#released.set(event.code, () => command.release(this.app));
    }
    // Tab leaves the image after its last point; everything else is ours.
    if (command.run(this.app) === false && key.endsWith("Tab")) return;
    event.preventDefault();
  }

  #command(key, isOnStage) {
    const isOnNothing = document.activeElement === document.body;
    if (isCharacterKey(key) && !settings.letterKeys) return null;
    const mayBeOfStage = isOnStage || (isOnNothing && !key.endsWith("Tab"));
    return COMMANDS.find((it) => keysOf(it).includes(key) && (!it.stage || mayBeOfStage));
  }

  /** Escape ends a drag, then a mode, then the selection; Tab then leaves the image. */
  #escape(event) {
    const { app } = this;
    event.preventDefault();
    app.menu.close();
    if (app.pointers.abort()) return app.drawing.request();
    if (app.tools.mode !== "edit") return app.tools.setMode("edit");
    app.tools.crosshair = null;
    app.labelling.select(-1);
    this.isLeaving = true;
    setTimeout(() => { this.isLeaving = false; }, 4000);
  }

  #space(event) {
    event.preventDefault();
    this.app.tools.isPanning = true;
    this.stage.dataset.cursor = "pan";
    this.#released.set(event.code, () => {
      this.app.tools.isPanning = false;
      this.stage.dataset.cursor = this.app.tools.mode;
    });
  }

  #up(event) {
    this.#released.get(event.code)?.();
    this.#released.delete(event.code);
  }

  #releaseAll() {
    for (const release of this.#released.values()) release();
    this.#released.clear();
  }
}
