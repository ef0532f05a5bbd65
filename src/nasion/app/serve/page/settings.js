// What the user chose to see. Kept in the browser, so that it is there again after a reload.

const KEY = "nasion.page";
const byId = (id) => document.getElementById(id);
const stored = () => [...document.querySelectorAll("[data-stored]")];
const valueOf = (input) => (input.type === "checkbox" ? input.checked : input.value);
let defaults = {};  // as the page came

/** What drawing.js takes. */
export const displayed = () => ({
  points: byId("points").checked, edges: byId("edges").checked, filled: byId("filled").checked, boxes: byId("boxes").checked,
  captions: byId("captions").checked, axes: byId("axes").checked, colour: byId("colour").value, labels: byId("labels").value,
  marks: Number(byId("marks").value), hideOccluded: byId("hide-occluded").checked,
});

function apply(values) {
  for (const input of stored()) {
    const value = values[input.id];
    if (input.type === "checkbox") {
      if (typeof value === "boolean") input.checked = value;
    } else if ([...input.options].some((option) => option.value === value)) {
      input.value = value;
    }
  }
}

export function restoreSettings() {
  defaults = Object.fromEntries(stored().map((input) => [input.id, valueOf(input)]));
  try {
    const saved = JSON.parse(localStorage.getItem(KEY));
    if (saved && typeof saved === "object") apply(saved);
  } catch {
    // Not allowed to store, or something else wrote there: the defaults stay.
  }
}

export function saveSettings() {
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(stored().map((input) => [input.id, valueOf(input)]))));
  } catch {
    // Private windows and full disks: they are lost with the page.
  }
}

export function resetSettings() {
  apply(defaults);
  saveSettings();
}
