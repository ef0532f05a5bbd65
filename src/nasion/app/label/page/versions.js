// Two versions of a face: what unsaved gestures lead to, and gestures that set it on the other one.

import { newId } from "./outbox.js";

/** The values that gestures lead to, in order of the fields: [{field, name, from, to}]. */
export function outcome(gestures) {
  const found = new Map();
  for (const gesture of gestures) {
    for (const field of ["points", "box", "done", "no_face", "removed", "note", "confirmed"]) {
      if (!gesture[field]) continue;
      const pairs = field === "points" ? Object.entries(gesture.points) : [["", gesture[field]]];
      for (const [name, { from, to }] of pairs) {
        const key = `${field}\n${name}`;
        const first = found.has(key) ? found.get(key).from : from;
        found.set(key, { field, name, from: first, to });
      }
    }
  }
  return [...found.values()];
}

/** Gestures that set the values of `rows` on top of the server's version of a face. */
export function gesturesOf(theirs, rows) {
  const shared = { face: theirs.face, repeat: theirs.repeat, origin: "hand", seconds: 0 };
  const found = [];
  const add = (op, fields) => {
    const revision = theirs.revision + found.length + 1;
    found.push({ id: newId(), ...shared, revision, op, ...fields });
  };
  const points = rows.filter((row) => row.field === "points");
  const fields = points.length
    ? { points: Object.fromEntries(points.map((row) => [row.name, pair(row)])) } : {};
  if (theirs.is_new && rows.length) {
    const box = rows.find((row) => row.field === "box")?.to ?? theirs.box;
    const image = { from: null, to: theirs.image.name };
    add("add", { ...fields, image, box: { from: null, to: box } });
  } else if (points.length) add("move", fields);
  for (const row of rows) {
    if (row.field === "points" || (theirs.is_new && row.field === "box")) continue;
    add(operation(row), { [row.field]: pair(row) });
  }
  return found;
}

const pair = (row) => ({ from: row.theirs, to: row.to });

const operation = ({ field, to }) =>
  field === "removed" ? (to ? "remove" : "restore") : field === "confirmed" ? "confirm" : field;
