// What the person has set in this browser: display, order, keys.

const NAME = "nasion-label-settings";
const DEFAULTS = {
  lines: true, names: false, boxes: true, pixels: false, pointSize: 1, brightness: 100,
  contrast: 100, order: null, pad: null, letterKeys: true, keys: {},
};

function stored() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) ?? {};
  } catch {
    return {};
  }
}

export const settings = { ...DEFAULTS, ...stored() };

export function set(name, value) {
  settings[name] = value;
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    // A browser that stores nothing: the setting lasts as long as the page.
  }
}
