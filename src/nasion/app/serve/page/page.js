// The page of nasion serve: sends images and camera frames to its own server, draws the faces that come back.

import { drawResult, isHidden, isShown, legendItems, toCanvas } from "./drawing.js";

const HOVER_DISTANCE = 14;  // screen pixels within which the pointer selects a point
const FRAME_SIDE = 640;  // pixels: the longer side of a camera frame that is sent
const COORDINATES = "pixels of the upright image, x to the right, y down, the centre of the top left pixel at 0, 0";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
let network = null;  // the points' names, edges and face parts
let results = [];  // {name, bitmap, width, height, faces, file}
export let current = null;  // the result on the canvas
let selected = null;  // {face, point} under the pointer or the arrow keys
let camera = null;  // the running camera's stream, video and socket

const setStatus = (text) => { byId("status").textContent = text; };
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const percent = (score) => `${Math.round(100 * score)} %`;
const withoutSuffix = (name) => name.replace(/\.[^.]*$/, "") || "image";
/** What the user chose to see, as drawing.js takes it. */
const displayed = () => ({
  colour: byId("colour").value, labels: byId("labels").value, edges: byId("edges").checked, hideOccluded: byId("hide-occluded").checked,
});

function showError(text) {
  byId("error").textContent = text;
  byId("error").hidden = !text;
}

// Drawing

function updateLegend() {
  byId("legend").replaceChildren(...legendItems(current, network, displayed()));
}

export function redraw() {
  updateLegend();
  if (!current) return;
  const stage = byId("stage"), density = window.devicePixelRatio || 1;
  stage.classList.add("full");
  // As wide as there is room, but never higher than the window.
  const height = Math.max(240, 0.8 * window.innerHeight);
  const width = Math.min(stage.clientWidth, height * current.width / current.height);
  canvas.style.width = `${width}px`;
  const scale = Math.min(width * density / current.width, 4000 / Math.max(current.width, current.height));
  canvas.width = Math.round(current.width * scale);
  canvas.height = Math.round(current.height * scale);
  drawResult(canvas.getContext("2d"), current, network, displayed(), scale, selected);
  canvas.setAttribute("aria-label", `${current.name}: ${count(current.faces.length, "face")}`);
}

// Results

function listFaces(result) {
  const items = result.faces.map((face) => {
    const item = document.createElement("li");
    const size = `${Math.round(face.box[2] - face.box[0])} x ${Math.round(face.box[3] - face.box[1])} pixels`;
    item.textContent = `${face.track ? `face ${face.track}, ` : ""}score ${face.score.toFixed(2)}, ${size}`;
    return item;
  });
  if (!items.length) {
    const item = document.createElement("li");
    item.className = "hint";
    item.textContent = "none found";
    items.push(item);
  }
  byId("faces").replaceChildren(...items);
  byId("save-json").disabled = byId("save-image").disabled = false;
  if (!camera) listPoints(result);
}

function listPoints(result) {
  const rows = [], display = displayed(), hasVisible = result.faces.some((face) => face.visible);
  byId("visible-column").hidden = !hasVisible;
  for (const [index, face] of result.faces.entries()) {
    for (const [point, [x, y]] of face.points.entries()) {
      if (!isShown(face, point, display)) continue;
      const row = document.createElement("tr");
      const score = face.scores ? face.scores[point].toFixed(2) : "";
      const cells = [index + 1, network.point_names[point], x.toFixed(1), y.toFixed(1), score];
      if (hasVisible) cells.push(face.visible ? face.visible[point].toFixed(2) : "");
      for (const text of cells) row.insertCell().textContent = text;
      rows.push(row);
    }
  }
  byId("rows").replaceChildren(...rows);
}

function showResult(result) {
  current = result;
  selected = null;
  // Only of networks that tell which points are hidden.
  if (result.faces.some((face) => face.visible)) byId("occlusion").hidden = false;
  byId("tip").hidden = true;
  listFaces(result);
  redraw();
  if (!camera) setStatus(`${result.name}: ${count(result.faces.length, "face")} found.`);
  for (const button of byId("thumbnails").children) {
    button.setAttribute("aria-pressed", String(button.result === result));
  }
}

function showThumbnails() {
  const buttons = results.map((result) => {
    const button = document.createElement("button"), image = document.createElement("img");
    button.type = "button";
    button.result = result;
    button.setAttribute("aria-label", `${result.name}, ${count(result.faces.length, "face")}`);
    const small = document.createElement("canvas"), scale = 144 / Math.max(result.width, result.height);
    small.width = Math.max(1, Math.round(result.width * scale));
    small.height = Math.max(1, Math.round(result.height * scale));
    small.getContext("2d").drawImage(result.bitmap, 0, 0, small.width, small.height);
    image.src = small.toDataURL("image/jpeg");
    image.alt = "";
    button.append(image);
    button.addEventListener("click", () => showResult(result));
    return button;
  });
  byId("thumbnails").replaceChildren(...buttons);
  byId("thumbnails").hidden = results.length < 2;
}

// Requests

async function requestLandmarks(file, query) {
  const form = new FormData();
  form.append("images", file, file.name || "image");
  const response = await fetch(`v1/landmarks?${new URLSearchParams(query)}`, { method: "POST", body: form });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.error || `The server answered ${response.status}.`);
  }
  return response;
}

async function decode(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // A format that browsers do not show, as TIFF: the server draws it, with its visible points.
    const drawn = await (await requestLandmarks(file, { format: "image", hide_occluded: true })).blob();
    return await createImageBitmap(drawn);
  }
}

async function predict(files) {
  stopCamera();
  files = [...files];
  if (!files.length) return;
  showError("");
  setStatus(`Processing ${count(files.length, "image")} ...`);
  const found = [], errors = [];
  for (const file of files) {
    const name = file.name || "image";
    try {
      const query = { any_rotation: byId("any-rotation").checked };
      const value = await (await requestLandmarks(file, query)).json();
      const { width, height, faces } = value.images[0];
      found.push({ name, bitmap: await decode(file), width, height, faces, file });
    } catch (error) {
      errors.push(`${name}: ${error.message}`.replace(/^(.+): \1: /, "$1: "));
    }
  }
  if (errors.length) showError(errors.join(" "));
  if (!found.length) { setStatus("No image could be read."); return; }
  results = found;
  showThumbnails();
  showResult(results[0]);
}

async function predictSample() {
  const response = await fetch("sample.jpg");
  await predict([new File([await response.blob()], "sample.jpg", { type: "image/jpeg" })]);
}

// Selecting points

function select(point, announce) {
  selected = point;
  redraw();
  const tip = byId("tip");
  tip.hidden = !point;
  if (!point) return;
  const face = current.faces[point.face], name = network.point_names[point.point];
  const [x, y] = face.points[point.point];
  const score = face.scores ? face.scores[point.point] : null;
  const hidden = isHidden(face, point.point) ? ", hidden" : "";
  tip.textContent = `${point.point} ${name}${score === null ? "" : `, ${percent(score)}`}${hidden}`;
  const scale = canvas.clientWidth / current.width;
  const left = canvas.offsetLeft + (x + 0.5) * scale + 12;
  tip.style.left = `${Math.max(4, Math.min(left, byId("stage").clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(0, canvas.offsetTop + (y + 0.5) * scale - 34)}px`;
  if (!announce) return;
  const confidence = score === null ? "" : `, score ${percent(score)}`;
  setStatus(`Face ${point.face + 1}, ${name.replaceAll("_", " ")}, at ${x.toFixed(0)}, ${y.toFixed(0)}${confidence}${hidden}.`);
}

function nearestPoint(event) {
  if (!current) return null;
  const area = canvas.getBoundingClientRect(), scale = area.width / current.width;
  const display = displayed();
  let best = null, least = HOVER_DISTANCE;
  for (const [face, value] of current.faces.entries()) {
    for (const [point, pair] of value.points.entries()) {
      if (!isShown(value, point, display)) continue;
      const [x, y] = toCanvas(pair, scale);
      const distance = Math.hypot(event.clientX - area.left - x, event.clientY - area.top - y);
      if (distance < least) { least = distance; best = { face, point }; }
    }
  }
  return best;
}

function onKey(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !current || !current.faces.length) return;
  event.preventDefault();
  const all = [], display = displayed();
  for (const [face, value] of current.faces.entries()) {
    for (const point of value.points.keys()) if (isShown(value, point, display)) all.push({ face, point });
  }
  if (!all.length) return;
  const at = selected ? all.findIndex(({ face, point }) => face === selected.face && point === selected.point) : -1;
  const before = at < 0 && step < 0 ? 0 : at;
  select(all[(before + step + all.length) % all.length], true);
}

// Downloads

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function saveJson() {
  const saved = camera || !results.includes(current) ? [current] : results;
  const images = saved.map(({ name, width, height, faces }) => ({ image: name, width, height, faces }));
  const value = { nasion: network.version, coordinates: COORDINATES, scheme: network.scheme, point_names: network.point_names, images };
  const blob = new Blob([JSON.stringify(value, null, 1)], { type: "application/json" });
  download(blob, `${withoutSuffix(current.name)}-points.json`);
}

function saveImage() {
  const whole = document.createElement("canvas");
  whole.width = current.width;
  whole.height = current.height;
  drawResult(whole.getContext("2d"), current, network, displayed(), 1, null);
  whole.toBlob((blob) => download(blob, `${withoutSuffix(current.name)}-points.png`), "image/png");
}

// Camera

async function toggleCamera() {
  if (camera) { stopCamera(); setStatus("The camera is off."); return; }
  showError("");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: FRAME_SIDE }, height: { ideal: 480 } } });
  } catch (error) {
    const insecure = "Browsers allow cameras only on localhost and over https.";
    showError(navigator.mediaDevices ? `The camera cannot be used: ${error.message}` : insecure);
    return;
  }
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  const query = new URLSearchParams({ smooth: byId("smooth").checked });
  // Relative to the page, which a proxy may show under a path of its own.
  const address = new URL(`v1/live?${query}`, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  camera = { stream, video, socket, times: [], reported: 0 };
  byId("camera").setAttribute("aria-pressed", "true");
  byId("thumbnails").hidden = true;
  streamFrames(camera);
}

function streamFrames(own) {
  const { video, socket } = own;
  let frame = null;
  const send = () => {
    if (camera !== own || socket.readyState !== WebSocket.OPEN) return;
    const scale = Math.min(1, FRAME_SIDE / Math.max(video.videoWidth, video.videoHeight));
    frame = document.createElement("canvas");
    frame.width = Math.round(video.videoWidth * scale);
    frame.height = Math.round(video.videoHeight * scale);
    frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
    frame.toBlob((blob) => { if (blob && socket.readyState === WebSocket.OPEN) socket.send(blob); }, "image/jpeg", 0.85);
  };
  socket.addEventListener("open", send);
  socket.addEventListener("close", (event) => {
    if (camera === own) { stopCamera(); showError(event.reason || "The connection to the server ended."); }
  });
  socket.addEventListener("message", (event) => {
    if (camera !== own) return;
    const answer = JSON.parse(event.data);
    if (answer.error) { stopCamera(); showError(answer.error); return; }
    reportSpeed(own, answer);
    showResult({ name: "camera", bitmap: frame, width: answer.width, height: answer.height, faces: answer.faces });
    requestAnimationFrame(send);
  });
}

function reportSpeed(own, answer) {
  const now = performance.now();
  own.times = [...own.times, now].filter((time) => now - time < 2000);
  if (now - own.reported < 1000 || own.times.length < 2) return;
  own.reported = now;
  const rate = (own.times.length - 1) / (now - own.times[0]) * 1000;
  setStatus(`Camera: ${count(answer.faces.length, "face")}, ${rate.toFixed(0)} frames per second, ${answer.milliseconds.toFixed(0)} ms each.`);
}

function stopCamera() {
  if (!camera) return;
  const { stream, socket } = camera;
  camera = null;
  stream.getTracks().forEach((track) => track.stop());
  socket.close();
  byId("camera").setAttribute("aria-pressed", "false");
}

// Events

async function start() {
  network = await (await fetch("v1/network")).json();
  updateLegend();
  byId("choose").addEventListener("click", () => byId("files").click());
  byId("files").addEventListener("change", (event) => { predict(event.target.files); event.target.value = ""; });
  byId("sample").addEventListener("click", predictSample);
  byId("camera").addEventListener("click", toggleCamera);
  byId("save-json").addEventListener("click", saveJson);
  byId("save-image").addEventListener("click", saveImage);
  for (const id of ["colour", "labels", "edges"]) byId(id).addEventListener("change", redraw);
  byId("hide-occluded").addEventListener("change", () => { if (current) showResult(current); });
  byId("any-rotation").addEventListener("change", () => { if (!camera && results.length) predict(results.map((result) => result.file)); });
  byId("smooth").addEventListener("change", async () => { if (camera) { stopCamera(); await toggleCamera(); } });
  canvas.addEventListener("pointermove", (event) => select(nearestPoint(event), false));
  canvas.addEventListener("pointerdown", (event) => select(nearestPoint(event), false));
  canvas.addEventListener("pointerleave", () => select(null, false));
  canvas.addEventListener("keydown", onKey);
  document.addEventListener("paste", (event) => predict([...event.clipboardData.files]));
  const setOver = (over) => (event) => { event.preventDefault(); byId("stage").classList.toggle("over", over); };
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, setOver(true));
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, setOver(false));
  document.addEventListener("drop", (event) => predict(event.dataTransfer.files));
  window.addEventListener("resize", () => { if (current) select(null, false); });
  document.body.dataset.ready = "yes";
}

start().catch((error) => showError(`The server does not answer: ${error.message}`));
