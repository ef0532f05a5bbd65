// The list of keys, in which each can be changed.

import { COMMANDS } from "./commands.js";
import { byId, button, element } from "./dom.js";
import { keyOf, keysOf, shownKey } from "./keys.js";
import { set, settings } from "./settings.js";

const FIXED = ["Escape", "Space"];

export class KeysDialog {
  #listening = null;  // the command whose new key is awaited

  constructor() {
    this.dialog = byId("keys-dialog");
    const letters = byId("letter-keys");
    letters.checked = settings.letterKeys;
    letters.onchange = () => set("letterKeys", letters.checked);
    byId("keys-reset").onclick = () => {
      set("keys", {});
      this.#show();
    };
    this.dialog.addEventListener("keydown", (event) => this.#pressed(event), true);
    this.dialog.addEventListener("close", () => { this.#listening = null; });
  }

  open() {
    this.#show();
    this.dialog.showModal();
  }

  #show(focus = null) {
    const groups = [...new Set(COMMANDS.map((it) => it.group))];
    byId("keys-list").replaceChildren(...groups.map((group) => element("section", {},
      element("h3", { textContent: group }),
      element("ul", {}, ...COMMANDS.filter((it) => it.group === group).map((it) => this.#row(it))),
    )));
    if (focus) byId("keys-list").querySelector(`[data-command="${focus}"]`)?.focus();
  }

  #row(command) {
    const isWaiting = this.#listening === command;
    const shown = keysOf(command).map(shownKey).join(" or ") || "none";
    const change = button(isWaiting ? "Press a key …" : shown, () => {
      this.#listening = command;
      this.#show(command.id);
    }, { "data-command": command.id, "aria-label": `${command.label}: ${shown}. Change` });
    return element("li", {}, element("span", { textContent: command.label }), change);
  }

  #pressed(event) {
    if (!this.#listening) return;
    event.preventDefault();
    event.stopPropagation();
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    const command = this.#listening, key = keyOf(event);
    this.#listening = null;
    byId("keys-told").textContent = key === "Escape" ? "Unchanged." : this.#assign(command, key);
    this.#show(command.id);
  }

  #assign(command, key) {
    if (FIXED.includes(key)) return `${shownKey(key)} cannot be changed.`;
    const keys = { ...settings.keys, [command.id]: [key] };
    const losers = COMMANDS.filter((it) => it !== command && keysOf(it).includes(key));
    for (const loser of losers) keys[loser.id] = keysOf(loser).filter((it) => it !== key);
    set("keys", keys);
    const lost = losers.map((it) => `; "${it.label}" has it no longer`).join("");
    return `${shownKey(key)}: ${command.label}${lost}.`;
  }
}
