// "Saved 14:03:22", or what is unsaved and why.

import { byId } from "./dom.js";

export function showSaved({ unsaved, saved, problem, undecided }, isStoring) {
  const line = byId("saved");
  let state = "saved", text = saved ? `✓ Saved ${saved}` : "✓ Nothing to save";
  if (undecided) {
    state = "waiting";
    text = `⚠ ${undecided} unsaved: choose which version stays`;
  } else if (unsaved && problem) {
    state = "waiting";
    const where = isStoring ? "" : "; keep this page open";
    text = `⚠ ${unsaved} unsaved, retrying (${problem}${where})`;
  } else if (unsaved) {
    state = "sending";
    text = `… Saving ${unsaved}`;
  }
  // Sending takes a moment each time: only what lasts is said aloud.
  if (line.textContent === text) return;
  line.textContent = text;
  line.dataset.state = state;
  const aloud = byId("saved-aloud");
  if (state === "waiting" && !aloud.textContent) aloud.textContent = `${unsaved} unsaved, retrying`;
  else if (state === "saved" && aloud.textContent) aloud.textContent = "";
}
