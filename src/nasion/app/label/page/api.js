// Requests to this page's own server. Answers are JSON; an error carries its status and text.

export class ServerError extends Error {
  constructor(status, message, body) {
    super(message);
    this.status = status;  // 0: the server did not answer
    this.body = body;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ServerError(0, "the server does not answer", null);
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new ServerError(answer.status, body?.error ?? answer.statusText, body);
  return body;
}

const query = (values) => new URLSearchParams(values).toString();

export const get = (path, values = {}) => {
  const text = query(values);
  return ask(text ? `api/${path}?${text}` : `api/${path}`, { cache: "no-store" });
};

const MOST_KEEPALIVE = 60_000;  // bytes: browsers refuse longer bodies that outlive the page

export function post(path, value) {
  const body = JSON.stringify(value);
  const keepalive = body.length < MOST_KEEPALIVE;
  return ask(`api/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive,
  });
}
