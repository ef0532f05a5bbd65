// Elements of the page, and what it says aloud.

export const byId = (id) => document.getElementById(id);

/** An element with properties; `class`, `role`, `data-*` and `aria-*` are attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && !name.includes("-")) made[name] = value;
    else if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  if (properties.class) made.className = properties.class;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const button = (text, onclick, properties = {}) =>
  element("button", { type: "button", onclick, textContent: text, ...properties });

export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export const readable = (name) => name.replaceAll("_", " ");

let later = 0;

/** Says it to screen readers and in the bottom line. `soon`: only once a run of keys has ended. */
export function announce(text, { soon = false, isError = false } = {}) {
  const line = byId("announce");
  clearTimeout(later);
  const say = () => {
    line.textContent = text;
    line.classList.toggle("bad", isError);
  };
  if (soon) later = setTimeout(say, 150);
  else say();
}
