// Side panels that become sheets on narrow screens, menus of the toolbar, close buttons of dialogs.

import { byId } from "./dom.js";

export class Panels {
  constructor() {
    this.openers = [...document.querySelectorAll("[data-sheet]")];
    for (const opener of this.openers) opener.onclick = () => this.toggle(opener.dataset.sheet);
    byId("sheet-shade").onclick = () => this.close();
    for (const closer of document.querySelectorAll("[data-close-sheet]")) {
      closer.onclick = () => this.close();
    }
    for (const closer of document.querySelectorAll("dialog [data-close]")) {
      closer.onclick = () => closer.closest("dialog").close();
    }
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.open) this.close();
    });
    for (const menu of document.querySelectorAll(".menu")) this.#wireMenu(menu);
  }

  toggle(id) {
    if (this.open === id) return this.close();
    this.close();
    this.open = id;
    byId(id).classList.add("sheet-open");
    byId("sheet-shade").hidden = false;
    this.#tell();
    byId(id).querySelector("button, [tabindex='0'], select")?.focus();
  }

  close() {
    if (!this.open) return;
    byId(this.open).classList.remove("sheet-open");
    const opener = this.openers.find((it) => it.dataset.sheet === this.open);
    this.open = null;
    byId("sheet-shade").hidden = true;
    this.#tell();
    opener?.focus();
  }

  #tell() {
    for (const it of this.openers) {
      it.setAttribute("aria-expanded", String(it.dataset.sheet === this.open));
    }
  }

  /** A popover under its button, which keeps inside the screen. */
  #wireMenu(menu) {
    const opener = document.querySelector(`[popovertarget="${menu.id}"]`);
    menu.addEventListener("toggle", (event) => {
      const isOpen = event.newState === "open";
      opener.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen) return;
      const { left, bottom, top } = opener.getBoundingClientRect();
      const { offsetWidth: width, offsetHeight: height } = menu;
      menu.style.left = `${Math.max(4, Math.min(left, innerWidth - width - 4))}px`;
      const isBelow = bottom + height + 6 < innerHeight;
      menu.style.top = `${isBelow ? bottom + 4 : Math.max(4, top - height - 4)}px`;
    });
    menu.addEventListener("click", (event) => {
      if (event.target.closest("button")) menu.hidePopover();
    });
  }
}
