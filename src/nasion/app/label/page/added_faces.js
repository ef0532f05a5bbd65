// Names and revisions of faces that are added to a picture.

import { get } from "./api.js";

/** A name that no face of the picture has: `photo.jpg#2`. */
export function freeName(queue, picture) {
  const numbers = queue.filter((it) => it.image === picture)
    .map((it) => Number(/#(\d+)$/.exec(it.face)?.[1] ?? 0));
  return `${picture}#${Math.max(1, ...numbers) + 1}`;
}

/** Of a face that is in no queue: one of this name may have been added, and that undone. */
export async function revisionOf(face) {
  try {
    return (await get("face", { face, repeat: 0 })).revision;
  } catch {
    return 0;  // the server does not answer: what is added waits until it does
  }
}
