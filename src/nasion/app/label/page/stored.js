// Gestures that wait in this browser until the server has them: IndexedDB, which survives a crash.
// If the browser keeps none (private windows), they wait in memory only.

const STORE = "gestures";

export class StoredGestures {
  /** `list`: of which change list; gestures of others on the same address stay apart. */
  constructor(list) {
    this.list = list;
    this.base = null;
  }

  async open() {
    try {
      this.base = await new Promise((resolve, reject) => {
        const request = indexedDB.open("nasion-label", 1);
        request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    } catch {
      this.base = null;
    }
    return this.base !== null;
  }

  put(gesture, tab) {
    return this.#run("readwrite", (store) => store.put({ ...gesture, list: this.list, tab }));
  }

  remove(id) {
    return this.#run("readwrite", (store) => store.delete(id));
  }

  /** Gestures of tabs that are gone, oldest first. They belong to this tab from now on. */
  async adopt(tab) {
    const all = (await this.#run("readonly", (store) => store.getAll())) ?? [];
    const held = new Set((await navigator.locks?.query())?.held.map((lock) => lock.name));
    const left = all.filter((it) => it.list === this.list && !held.has(lockOf(it.tab)));
    left.sort((a, b) => a.at - b.at);
    for (const { list, tab: _, ...gesture } of left) await this.put(gesture, tab);
    return left.map(({ list, tab: _, ...gesture }) => gesture);
  }

  async #run(mode, work) {
    if (!this.base) return null;
    try {
      return await new Promise((resolve, reject) => {
        const transaction = this.base.transaction(STORE, mode, { durability: "strict" });
        const request = work(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
      });
    } catch {
      return null;
    }
  }
}

const lockOf = (tab) => `nasion-label-tab-${tab}`;

/** Holds this tab's name for as long as the tab lives. */
export function holdTab(tab) {
  return new Promise((resolve) => {
    if (!navigator.locks) return resolve();
    navigator.locks.request(lockOf(tab), () => {
      resolve();
      return new Promise(() => {});
    });
  });
}
