// All points by part of the face, as a list that can be walked with arrow keys.

import { byId, button, element, readable } from "./dom.js";
import { shownPlace } from "./face_document.js";
import { colourOf } from "./marks.js";

const SHAPES = {
  visible: "●", occluded: "■", proposed: "○", "proposed occluded": "□", missing: "✕", "not placed": "·",
};

export class PointsList {
  #options = [];

  constructor(app) {
    this.app = app;
    this.list = byId("points-list");
    this.list.addEventListener("keydown", (event) => this.#pressed(event));
    app.labelling.on("face points", () => this.#later());
    app.labelling.on("selection", () => this.#select());
  }

  useScheme(scheme) {
    this.order = scheme.parts.flatMap((part) => part.points);
    this.#options = new Array(scheme.points.length);
    this.list.replaceChildren(...scheme.parts.filter((part) => part.points.length).map((part) => {
      const p = scheme.parts.indexOf(part);
      const head = element("div", { class: "part" },
        element("i", { class: "swatch", style: `background: ${colourOf(p)}` }),
        element("span", { textContent: readable(part.name) }),
        button("Select", () => this.app.points.usePart(part), {
          class: "small", tabIndex: -1, "aria-label": `Select all points of ${readable(part.name)}`,
        }));
      const options = part.points.map((i) => this.#option(i, scheme.points[i]));
      return element("div", { role: "group", "aria-label": readable(part.name) }, head, ...options);
    }));
  }

  #option(i, name) {
    const made = element("div", {
      role: "option", id: `point-${i}`, class: "point", "aria-selected": "false",
      title: `${i} ${readable(name)}`,
      onclick: () => this.app.points.select(i),
    },
    element("span", { class: "mark" }),
    element("span", { class: "name", textContent: readable(name) }),
    element("span", { class: "place" }));
    this.#options[i] = made;
    return made;
  }

  #later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#show();
    });
  }

  #show() {
    const { labelling } = this.app, { doc } = labelling;
    if (!doc) return;
    const suspects = new Set(doc.suspect?.points ?? []);
    const counts = { labelled: doc.labelled, proposed: doc.hollow.length };
    byId("points-count").textContent = `${counts.labelled} of ${doc.names.length} labelled`
      + (counts.proposed ? `, ${counts.proposed} proposed` : "");
    this.#options.forEach((option, i) => {
      const state = doc.stateOf(i), place = labelling.placeOf(i);
      const isSuspect = suspects.has(i) && !doc.touched[i];
      const isConfirmed = doc.confirmed.includes(doc.names[i]);
      const text = [state, place && shownPlace(place), isSuspect, isConfirmed].join();
      if (option.shown === text) return;
      option.shown = text;
      const [mark, , where] = option.children;
      mark.textContent = SHAPES[state];
      const sign = isConfirmed ? "✓ " : isSuspect ? "⚠ " : "";
      where.textContent = sign + (place ? inPixels(place) : state);
      const more = isConfirmed ? ", confirmed" : isSuspect ? ", suspected" : "";
      const at = place ? ` at ${shownPlace(place)}` : "";
      option.setAttribute("aria-label", `${option.children[1].textContent}, ${state}${at}${more}`);
      option.classList.toggle("suspect", isSuspect && !isConfirmed);
    });
  }

  /** Only what has changed: there may be hundreds of points. */
  #select() {
    const { current, several } = this.app.labelling;
    this.#options.forEach((option, i) => {
      const isCurrent = i === current, isSeveral = several.has(i);
      if (option.isCurrent !== isCurrent) option.setAttribute("aria-selected", String(isCurrent));
      if (option.isSeveral !== isSeveral) option.classList.toggle("several", isSeveral);
      Object.assign(option, { isCurrent, isSeveral });
    });
    if (current >= 0) this.list.setAttribute("aria-activedescendant", `point-${current}`);
    else this.list.removeAttribute("aria-activedescendant");
    const inView = current >= 0 ? current : [...several][0];
    if (inView !== undefined) this.#reveal(this.#options[inView]);
  }

  #reveal(option) {
    const { list } = this;
    const top = option.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + option.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top - list.clientHeight / 2;
    }
  }

  #pressed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const here = this.order.indexOf(this.app.labelling.current);
    const next = Math.min(Math.max(here + (step ?? 0), 0), this.order.length - 1);
    if (step) this.app.points.select(this.order[next]);
    else if (event.key === "Home") this.app.points.select(this.order[0]);
    else if (event.key === "End") this.app.points.select(this.order.at(-1));
    else if (event.key === "Enter") byId("stage").focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

const inPixels = ([x, y]) => `${Math.round(x)}, ${Math.round(y)}`;
