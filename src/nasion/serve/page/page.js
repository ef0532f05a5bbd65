// The page of nasion serve: pictures and the camera's frames go to the server that showed it, faces come back and are drawn.
"use strict";

const PLASMA = [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]];  // unsure to sure
// Colours that everyone can tell apart (Okabe and Ito, 2008).
const PARTS = { jaw: "#56B4E9", brows: "#E69F00", eyes: "#009E73", nose: "#F0E442", mouth: "#CC79A7", other: "#D55E00" };
const NEAR = 14;  // pixels of the screen: a point this near the pointer is meant
const FRAME = 640;  // pixels: the longer side of a camera's frame as it is sent

const at = (id) => document.getElementById(id);
const canvas = at("canvas");
let network = null;  // names, edges and parts of the points
let shown = [];  // {name, image, width, height, faces, file}
let current = null;
let chosen = null;  // {face, point} under the pointer or the arrow keys
let watching = null;  // the camera's stream, socket and video

function say(text) { at("said").textContent = text; }
function complain(text) { at("wrong").textContent = text; at("wrong").hidden = !text; }

function ramp(score) {
  const place = Math.min(Math.max(score, 0), 1) * (PLASMA.length - 1);
  const low = Math.min(Math.floor(place), PLASMA.length - 2);
  return `rgb(${PLASMA[low].map((value, i) => Math.round(value + (place - low) * (PLASMA[low + 1][i] - value))).join(",")})`;
}

function colourOf(face, point) {
  if (at("colour").value === "part") return PARTS[network.parts[point]];
  return ramp(face.scores ? face.scores[point] : 1);
}

// Points count from the centre of the first pixel, canvases from its corner.
const place = ([x, y], scale) => [(x + 0.5) * scale, (y + 0.5) * scale];

function paint(context, picture, scale, marked) {
  context.drawImage(picture.image, 0, 0, picture.width * scale, picture.height * scale);
  for (const [number, face] of picture.faces.entries()) {
    const side = Math.max(face.box[2] - face.box[0], face.box[3] - face.box[1]) * scale;
    const radius = Math.max(side / 90, 1.8);
    if (at("lines").checked) {
      context.lineWidth = Math.max(radius / 2, 1);
      context.strokeStyle = "rgba(255,255,255,0.65)";
      context.beginPath();
      for (const [a, b] of network.edges) { context.moveTo(...place(face.points[a], scale)); context.lineTo(...place(face.points[b], scale)); }
      context.stroke();
    }
    for (const [point, pair] of face.points.entries()) {
      const [x, y] = place(pair, scale);
      const meant = marked && marked.face === number && marked.point === point;
      context.beginPath();
      context.arc(x, y, meant ? radius * 2.2 : radius, 0, 2 * Math.PI);
      context.fillStyle = colourOf(face, point);
      context.fill();
      context.lineWidth = meant ? 3 : Math.max(radius / 4, 0.7);
      context.strokeStyle = meant ? "#fff" : "#000";
      context.stroke();
      const beside = at("beside").value;
      if (beside === "none") continue;
      context.font = `${Math.max(side / (beside === "numbers" ? 40 : 55), 9)}px system-ui, sans-serif`;
      context.textBaseline = "middle";
      context.lineWidth = 2.5;
      context.strokeStyle = "#000";
      const words = beside === "numbers" ? String(point) : network.names[point];
      context.strokeText(words, x + 1.6 * radius, y);
      context.fillStyle = "#fff";
      context.fillText(words, x + 1.6 * radius, y);
    }
  }
}

function redraw() {
  legend();
  if (!current) return;
  at("stage").classList.add("full");
  const dense = window.devicePixelRatio || 1;
  // As wide as there is room, but never so high that it cannot be seen whole.
  const wide = Math.min(at("stage").clientWidth, Math.max(240, 0.8 * window.innerHeight) * current.width / current.height);
  canvas.style.width = `${wide}px`;
  const scale = Math.min(wide * dense / current.width, 4000 / Math.max(current.width, current.height));
  canvas.width = Math.round(current.width * scale);
  canvas.height = Math.round(current.height * scale);
  paint(canvas.getContext("2d"), current, scale, chosen);
  canvas.setAttribute("aria-label", `${current.name}: ${counted(current.faces.length, "face")}`);
}

function counted(number, what) { return `${number} ${what}${number === 1 ? "" : "s"}`; }
const percent = (score) => `${Math.round(100 * score)} %`;

function legend() {
  const box = at("legend");
  box.replaceChildren();
  if (at("colour").value === "part") {
    for (const part of new Set(network ? network.parts : [])) {
      const item = document.createElement("span"), dot = document.createElement("i");
      dot.style.background = PARTS[part];
      item.append(dot, ` ${part}`);
      box.append(item);
    }
  } else {
    const bar = document.createElement("i");
    bar.className = "ramp";
    bar.style.background = `linear-gradient(to right, ${PLASMA.map((c) => `rgb(${c.join(",")})`).join(",")})`;
    box.append("unsure ", bar, " sure");
  }
}

function tell(picture) {
  const list = picture.faces.map((face) => {
    const item = document.createElement("li");
    const size = `${Math.round(face.box[2] - face.box[0])} x ${Math.round(face.box[3] - face.box[1])} pixels`;
    item.textContent = `${face.track ? `face ${face.track}, ` : ""}sure by ${percent(face.score)}, ${size}`;
    return item;
  });
  if (!list.length) {
    const item = document.createElement("li");
    item.className = "hint";
    item.textContent = "none found";
    list.push(item);
  }
  at("faces").replaceChildren(...list);
  at("save").disabled = at("draw").disabled = false;
  if (watching) return;
  const rows = [];
  for (const [number, face] of picture.faces.entries()) {
    for (const [point, [x, y]] of face.points.entries()) {
      const row = document.createElement("tr");
      for (const text of [number + 1, network.names[point], x.toFixed(1), y.toFixed(1), face.scores ? face.scores[point].toFixed(2) : ""]) {
        row.insertCell().textContent = text;
      }
      rows.push(row);
    }
  }
  at("rows").replaceChildren(...rows);
}

function show(picture) {
  current = picture;
  chosen = null;
  at("tip").hidden = true;
  tell(picture);
  redraw();
  if (!watching) say(`${picture.name}: ${counted(picture.faces.length, "face")} found.`);
  for (const button of at("strip").children) button.setAttribute("aria-pressed", String(button.picture === picture));
}

async function ask(files, query) {
  const form = new FormData();
  for (const file of files) form.append("pictures", file, file.name || "picture");
  const answer = await fetch(`/v1/landmarks?${new URLSearchParams(query)}`, { method: "POST", body: form });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.error || `The server answered ${answer.status}.`);
  }
  return answer;
}

async function image(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // A kind that browsers do not show, as TIFF: the server draws it, points and all.
    const drawn = await (await ask([file], { format: "picture" })).blob();
    return await createImageBitmap(drawn);
  }
}

async function look(files) {
  stop();
  files = [...files];
  if (!files.length) return;
  complain("");
  say(`Looking at ${counted(files.length, "picture")} ...`);
  const found = [], wrong = [];
  for (const file of files) {
    try {
      const value = await (await ask([file], { any_rotation: at("turned").checked })).json();
      const { width, height, faces } = value.pictures[0];
      found.push({ name: file.name || "picture", image: await image(file), width, height, faces, file, value });
    } catch (error) {
      wrong.push(`${file.name || "picture"}: ${error.message}`.replace(/^(.+): \1: /, "$1: "));
    }
  }
  if (wrong.length) complain(wrong.join(" "));
  if (!found.length) { say("Nothing could be read."); return; }
  shown = found;
  strip();
  show(shown[0]);
}

function strip() {
  const buttons = shown.map((picture) => {
    const button = document.createElement("button"), small = document.createElement("img");
    button.type = "button";
    button.picture = picture;
    button.setAttribute("aria-label", `${picture.name}, ${counted(picture.faces.length, "face")}`);
    const thumb = document.createElement("canvas"), scale = 144 / Math.max(picture.width, picture.height);
    thumb.width = Math.max(1, Math.round(picture.width * scale));
    thumb.height = Math.max(1, Math.round(picture.height * scale));
    thumb.getContext("2d").drawImage(picture.image, 0, 0, thumb.width, thumb.height);
    small.src = thumb.toDataURL("image/jpeg");
    small.alt = "";
    button.append(small);
    button.addEventListener("click", () => show(picture));
    return button;
  });
  at("strip").replaceChildren(...buttons);
  at("strip").hidden = shown.length < 2;
}

function mark(meant, speak) {
  chosen = meant;
  redraw();
  const tip = at("tip");
  tip.hidden = !meant;
  if (!meant) return;
  const face = current.faces[meant.face], name = network.names[meant.point];
  const [x, y] = face.points[meant.point];
  tip.textContent = `${meant.point} ${name}${face.scores ? `, ${percent(face.scores[meant.point])}` : ""}`;
  const scale = canvas.clientWidth / current.width;
  const left = canvas.offsetLeft + (x + 0.5) * scale + 12;
  tip.style.left = `${Math.max(4, Math.min(left, at("stage").clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(0, canvas.offsetTop + (y + 0.5) * scale - 34)}px`;
  if (speak) say(`Face ${meant.face + 1}, ${name.replaceAll("_", " ")}, at ${x.toFixed(0)}, ${y.toFixed(0)}${face.scores ? `, sure by ${percent(face.scores[meant.point])}` : ""}.`);
}

function nearest(event) {
  if (!current) return null;
  const box = canvas.getBoundingClientRect(), scale = box.width / current.width;
  let best = null, least = NEAR;
  for (const [face, value] of current.faces.entries()) {
    for (const [point, pair] of value.points.entries()) {
      const [x, y] = place(pair, scale), far = Math.hypot(event.clientX - box.left - x, event.clientY - box.top - y);
      if (far < least) { least = far; best = { face, point }; }
    }
  }
  return best;
}

function keyed(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !current || !current.faces.length) return;
  event.preventDefault();
  const count = network.names.length, all = count * current.faces.length;
  const before = chosen ? chosen.face * count + chosen.point : step > 0 ? -1 : 0;
  const next = (before + step + all) % all;
  mark({ face: Math.floor(next / count), point: next % count }, true);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || "picture";

function save() {
  const pictures = (watching || !shown.includes(current) ? [current] : shown).map(({ name, width, height, faces }) => ({ picture: name, width, height, faces }));
  const frame = "pixels of the upright picture, x to the right, y down, the centre of the top left pixel at 0, 0";
  const value = { nasion: network.version, frame, scheme: network.scheme, names: network.names, pictures };
  download(new Blob([JSON.stringify(value, null, 1)], { type: "application/json" }), `${stem(current.name)}-points.json`);
}

function drawing() {
  const whole = document.createElement("canvas");
  whole.width = current.width;
  whole.height = current.height;
  paint(whole.getContext("2d"), current, 1, null);
  whole.toBlob((blob) => download(blob, `${stem(current.name)}-points.png`), "image/png");
}

async function watch() {
  if (watching) { stop(); say("The camera is off."); return; }
  complain("");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: FRAME }, height: { ideal: 480 } } });
  } catch (error) {
    complain(navigator.mediaDevices ? `The camera cannot be used: ${error.message}` : "Browsers allow cameras only on localhost and over https.");
    return;
  }
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  const query = new URLSearchParams({ smooth: at("calm").checked });
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/live?${query}`);
  watching = { stream, video, socket, times: [], told: 0 };
  at("camera").setAttribute("aria-pressed", "true");
  at("strip").hidden = true;
  const mine = watching;
  let sent = null;
  const send = () => {
    if (watching !== mine || socket.readyState !== WebSocket.OPEN) return;
    const scale = Math.min(1, FRAME / Math.max(video.videoWidth, video.videoHeight));
    sent = document.createElement("canvas");
    sent.width = Math.round(video.videoWidth * scale);
    sent.height = Math.round(video.videoHeight * scale);
    sent.getContext("2d").drawImage(video, 0, 0, sent.width, sent.height);
    sent.toBlob((blob) => { if (blob && socket.readyState === WebSocket.OPEN) socket.send(blob); }, "image/jpeg", 0.85);
  };
  socket.addEventListener("open", send);
  socket.addEventListener("close", (event) => { if (watching === mine) { stop(); complain(event.reason || "The connection to the server ended."); } });
  socket.addEventListener("message", (event) => {
    if (watching !== mine) return;
    const answer = JSON.parse(event.data);
    if (answer.error) { stop(); complain(answer.error); return; }
    pace(mine, answer);
    show({ name: "camera", image: sent, width: answer.width, height: answer.height, faces: answer.faces });
    requestAnimationFrame(send);
  });
}

function pace(mine, answer) {
  const now = performance.now();
  mine.times = [...mine.times, now].filter((time) => now - time < 2000);
  if (now - mine.told < 1000 || mine.times.length < 2) return;
  mine.told = now;
  const rate = (mine.times.length - 1) / (now - mine.times[0]) * 1000;
  say(`Camera: ${counted(answer.faces.length, "face")}, ${rate.toFixed(0)} frames a second, ${answer.milliseconds.toFixed(0)} ms each.`);
}

function stop() {
  if (!watching) return;
  const { stream, socket } = watching;
  watching = null;
  stream.getTracks().forEach((track) => track.stop());
  socket.close();
  at("camera").setAttribute("aria-pressed", "false");
}

async function sample() {
  const answer = await fetch("/sample.jpg");
  await look([new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" })]);
}

async function begin() {
  network = await (await fetch("/v1/network")).json();
  legend();
  at("choose").addEventListener("click", () => at("files").click());
  at("files").addEventListener("change", (event) => { look(event.target.files); event.target.value = ""; });
  at("sample").addEventListener("click", sample);
  at("camera").addEventListener("click", watch);
  at("save").addEventListener("click", save);
  at("draw").addEventListener("click", drawing);
  for (const id of ["colour", "beside", "lines"]) at(id).addEventListener("change", redraw);
  at("turned").addEventListener("change", () => { if (!watching && shown.length) look(shown.map((picture) => picture.file)); });
  at("calm").addEventListener("change", async () => { if (watching) { stop(); await watch(); } });
  canvas.addEventListener("pointermove", (event) => mark(nearest(event), false));
  canvas.addEventListener("pointerdown", (event) => mark(nearest(event), false));
  canvas.addEventListener("pointerleave", () => mark(null, false));
  canvas.addEventListener("keydown", keyed);
  document.addEventListener("paste", (event) => { look([...event.clipboardData.files]); });
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => { event.preventDefault(); at("stage").classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, (event) => { event.preventDefault(); at("stage").classList.remove("over"); });
  document.addEventListener("drop", (event) => look(event.dataTransfer.files));
  window.addEventListener("resize", () => { if (current) mark(null, false); });
  document.body.dataset.ready = "yes";
}

begin().catch((error) => complain(`The server does not answer: ${error.message}`));
