// Learning from what is done: started here, followed until it ends.

import { get, post } from "./api.js";
import { announce, byId, count } from "./dom.js";

const EVERY = 1_500;  // ms between two looks

export class Learn {
  #version = null;

  constructor(app) {
    this.app = app;
    byId("learn").onclick = () => this.#start();
    byId("learn-stop").onclick = () => this.#stop();
    app.labelling.on("queue", () => this.#offer());
  }

  async begin(version) {
    this.#version = version;
    await this.#follow();
  }

  #offer() {
    byId("learn").disabled = this.isRunning || Boolean(this.app.labelling.session.read_only);
  }

  async #start() {
    await this.app.labelling.outbox.settled();
    try {
      this.#show(await post("learn", {}));
      announce("Learning from the faces that are done.");
      this.#follow();
    } catch (error) {
      byId("learn-state").textContent = error.message;
      announce(error.message, { isError: true });
    }
  }

  async #stop() {
    await post("learn/stop", {}).catch(() => null);
    this.#follow();
  }

  async #follow() {
    clearTimeout(this.timer);
    const state = await get("learn").catch(() => null);
    if (state) this.#show(state);
    if (state?.models_version > this.#version) {
      this.#version = state.models_version;
      await this.app.labelling.proposals.renew().catch(() => {});
      this.app.labelling.refreshQueue();
      // Proposals also become better with each finished face, without any learning.
      const isLearnt = state.state === "done";
      if (isLearnt) announce("Learnt. Points that nobody has touched are proposed anew.");
    }
    if (!state || state.state === "running") this.timer = setTimeout(() => this.#follow(), EVERY);
  }

  #show(state) {
    this.isRunning = state.state === "running";
    const bar = byId("learn-progress");
    bar.hidden = byId("learn-stop").hidden = !this.isRunning;
    bar.value = state.done ?? 0;
    byId("learn-state").textContent = said(state);
    this.#offer();
  }
}

function said({ state, done, seconds_left: left, faces, message, possible }) {
  if (state === "running") {
    const rest = left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`;
    const time = left ? `, about ${rest} left` : "";
    return `Learning from ${count(faces ?? 0, "face")}: ${Math.round(100 * (done ?? 0))} %${time}`;
  }
  if (state === "done") return message || `Learnt from ${count(faces ?? 0, "face")}.`;
  if (state === "failed") return `Learning failed: ${message}`;
  if (state === "stopped") return "Learning was stopped.";
  return possible ?? "Refreshes the proposals with what you have finished.";
}
