// Requests to the server that showed the page: a file goes out, with progress, and an answer comes back.

export class Cancelled extends Error {}

/**
 * Sends a file. Resolves to {blob, header}; rejects with what the server says is wrong, or `Cancelled`.
 * `onProgress`: called with the share that is uploaded, 0 to 1. `signal`: of an AbortController.
 */
export function send(path, query, file, { field = "images", onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(), form = new FormData();
    form.append(field, file, file.name || "image");
    // Relative to the page, which a proxy may show under a path of its own.
    request.open("POST", `${path}?${new URLSearchParams(query)}`);
    request.responseType = "blob";
    if (onProgress) request.upload.addEventListener("load", () => onProgress(1));
    if (onProgress) request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    request.addEventListener("abort", () => reject(new Cancelled("Cancelled.")));
    request.addEventListener("error", () => reject(new Error("The server does not answer.")));
    request.addEventListener("load", async () => {
      if (request.status === 200) {
        resolve({ blob: request.response, header: (name) => request.getResponseHeader(name) });
        return;
      }
      const problem = await request.response.text().then(JSON.parse).catch(() => ({}));
      reject(new Error(problem.error || `The server answered ${request.status}.`));
    });
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted) request.abort();
    else request.send(form);
  });
}

export async function sendForJson(path, query, file, options) {
  return JSON.parse(await (await send(path, query, file, options)).blob.text());
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export const withoutSuffix = (name) => name.replace(/\.[^.]*$/, "") || "image";
