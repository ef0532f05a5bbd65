// The faces in their order, each with the reason for its place. Only rows in view are made.

import { byId, count, element } from "./dom.js";
import { set } from "./settings.js";

const ROW = 56;  // CSS pixels
export const STATES = {
  todo: ["○", "to do"], begun: ["◐", "begun"], done: ["●", "done"],
  no_face: ["∅", "no face"], removed: ["✕", "left out"],
};
const ORDERS = {
  suspects: "suspects first", unsure: "unsure first", typical: "typical first", random: "random",
  file: "by file",
};

export class QueuePanel {
  constructor(app) {
    this.app = app;
    this.list = byId("queue");
    this.rows = byId("queue-rows");
    this.list.addEventListener("scroll", () => this.#rows());
    this.list.addEventListener("keydown", (event) => this.#pressed(event));
    new ResizeObserver(() => this.#rows()).observe(this.list);
    byId("order").onchange = (event) => this.#reorder(event.target.value);
    app.labelling.on("queue face", () => this.#show());
    app.labelling.on("face", () => this.#reveal());
  }

  useOrders(orders, order) {
    const options = orders.map((it) =>
      element("option", { value: it, textContent: ORDERS[it] ?? it }));
    byId("order").replaceChildren(...options);
    byId("order").value = order;
  }

  async #reorder(order) {
    set("order", order);
    await this.app.labelling.loadQueue(order);
    this.#reveal();
  }

  #show() {
    const { labelling } = this.app, { queue, counts, index } = labelling;
    this.rows.style.height = `${queue.length * ROW}px`;
    const at = index >= 0 ? `Face ${index + 1} of ${queue.length}` : count(queue.length, "face");
    byId("position").textContent = at;
    byId("counts").textContent = `${counts.done} done, ${counts.left} left`;
    byId("done-share").max = Math.max(counts.done + counts.left, 1);
    byId("done-share").value = counts.done;
    this.#rows();
  }

  #rows() {
    const { queue, index } = this.app.labelling, { list } = this;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 2);
    const last = Math.min(queue.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 2);
    const made = [];
    for (let i = first; i < last; i++) made.push(this.#row(queue[i], i, i === index));
    this.rows.replaceChildren(...made);
    if (index >= first && index < last) list.setAttribute("aria-activedescendant", `face-${index}`);
    else list.removeAttribute("aria-activedescendant");
  }

  #row(entry, i, isCurrent) {
    const [mark, said] = STATES[entry.state] ?? STATES.todo;
    const name = entry.repeat ? `${entry.face}, once more` : entry.face;
    const reason = entry.repeat ? "without labels, to compare" : entry.reason || said;
    return element("div", {
      id: `face-${i}`, role: "option", class: "row", "aria-selected": String(isCurrent),
      "aria-setsize": this.app.labelling.queue.length, "aria-posinset": i + 1, title: entry.face,
      "aria-label": `${name}, ${said}, ${reason}`, style: `top: ${i * ROW}px`,
      onclick: () => {
        this.app.panels.close();
        this.app.faces.open(i);
      },
    },
    element("span", { class: `state ${entry.state}`, textContent: mark, title: said }),
    element("span", { class: "what" },
      element("span", { class: "name", textContent: shortened(name) }),
      element("span", { class: "why", textContent: reason })));
  }

  #reveal() {
    const { index } = this.app.labelling, { list } = this;
    const top = index * ROW;
    if (top < list.scrollTop) list.scrollTop = Math.max(0, top - ROW);
    else if (top + ROW > list.scrollTop + list.clientHeight) {
      list.scrollTop = top - list.clientHeight + 2 * ROW;
    }
    this.#show();
  }

  #pressed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const { queue, index } = this.app.labelling;
    this.app.faces.open(Math.min(Math.max(index + step, 0), queue.length - 1));
  }
}

const MOST = 30;  // letters of a face's name; the end tells faces apart

const shortened = (name) => (name.length > MOST ? `…${name.slice(1 - MOST)}` : name);
