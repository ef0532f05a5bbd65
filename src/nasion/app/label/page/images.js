// Decoded images: the one in view, three ahead and one behind, as far as memory is allowed.
// Browsers decode a blob into a bitmap off the main thread.

const MOST_BYTES = 300e6;  // of decoded images together
const MOST_PIXELS = 32e6;  // of one; larger ones are shown at a lower resolution

export class Images {
  #kept = new Map();  // by url, the latest used last: {promise, bytes}

  /** {bitmap, width, height}: sizes are those of the image, also if its bitmap is smaller. */
  load(image) {
    const known = this.#kept.get(image.url);
    const entry = known ?? { bytes: bytesOf(image), promise: decoded(image) };
    this.#kept.delete(image.url);
    this.#kept.set(image.url, entry);
    if (!known) {
      entry.promise.catch(() => this.#kept.delete(image.url));
      this.#makeRoom(image.url);
    }
    return entry.promise;
  }

  has(url) {
    return this.#kept.has(url);
  }

  get bytes() {
    return [...this.#kept.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  }

  #makeRoom(keep) {
    for (const [url, entry] of this.#kept) {
      if (this.bytes <= MOST_BYTES) return;
      if (url === keep) continue;
      this.#kept.delete(url);
      // A bitmap may still be in view: it is freed with its last use.
      entry.promise.catch(() => {});
    }
  }
}

const shrink = ({ width, height }) => Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));

const bytesOf = (image) => 4 * image.width * image.height * shrink(image) ** 2;

async function decoded(image) {
  const answer = await fetch(image.url);
  if (!answer.ok) throw new Error(`${image.name} cannot be loaded (${answer.status})`);
  const blob = await answer.blob();
  const factor = shrink(image);
  const options = factor < 1
    ? { resizeWidth: Math.round(image.width * factor),
        resizeHeight: Math.round(image.height * factor), resizeQuality: "high" }
    : {};
  const bitmap = await createImageBitmap(blob, options);
  return { bitmap, width: image.width, height: image.height, name: image.name };
}
