// The menu of a point: right button, or a finger held on it.

import { byId, button, readable } from "./dom.js";
import { OCCLUDED, VISIBLE } from "./editing.js";

export class PointMenu {
  constructor(app) {
    this.app = app;
    this.menu = byId("point-menu");
    this.menu.addEventListener("keydown", (event) => this.#pressed(event));
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.hidden && !this.menu.contains(event.target)) this.close();
    });
  }

  open(i, [x, y]) {
    const { points, labelling, drawing } = this.app, { doc } = labelling;
    const item = (text, run, isOn = false) =>
      button(text, () => {
        this.close();
        run();
      }, { role: "menuitem", class: isOn ? "on" : "" });
    const state = doc.stateOf(i);
    const items = [
      item("● Visible", () => points.mark([i], VISIBLE), state === VISIBLE),
      item("■ Occluded", () => points.mark([i], OCCLUDED), state === OCCLUDED),
      item("✕ Missing", () => points.mark([i], null), state === "missing"),
    ];
    if (doc.proposed(i)) items.push(item("○ Accept proposal", () => points.accept([i])));
    if (doc.suspect?.points.includes(i)) {
      items.push(item("✓ Label is right", () => points.confirm()));
    }
    const title = document.createElement("p");
    title.textContent = readable(doc.names[i]);
    this.menu.replaceChildren(title, ...items);
    this.menu.hidden = false;
    const [width, height] = drawing.size;
    const at = (value, most, room) => `${Math.max(4, Math.min(value, most - room - 4))}px`;
    this.menu.style.left = at(x + 10, width, this.menu.offsetWidth);
    this.menu.style.top = at(y + 10, height, this.menu.offsetHeight);
    items[0].focus();
  }

  close() {
    if (this.menu.hidden) return;
    this.menu.hidden = true;
    byId("stage").focus({ preventScroll: true });
  }

  #pressed(event) {
    event.stopPropagation();
    const items = [...this.menu.querySelectorAll("button")];
    const here = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(here + step + items.length) % items.length].focus();
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }
}
