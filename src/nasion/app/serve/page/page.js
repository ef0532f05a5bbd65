// The page of nasion serve: sends photos, clips and camera frames to its own server, draws the faces that come back.

import { startCamera } from "./camera.js";
import { CropClipTool, DrawTool, HideClipTool } from "./clip_tools.js";
import { clipResult, isPlaying, isVideo, Player } from "./clips.js";
import { drawResult, isHidden, isShown, legendItems, toCanvas } from "./drawing.js";
import { describe } from "./measures.js";
import { Cancelled, download, send, sendForJson, withoutSuffix } from "./requests.js";
import { displayed, resetSettings, restoreSettings, saveSettings } from "./settings.js";
import { CropTool, HideTool } from "./tools.js";

const HOVER_DISTANCE = 14;  // screen pixels within which the pointer selects a point
const COORDINATES = "pixels of the upright image, x to the right, y down, the centre of the top left pixel at 0, 0";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
let network = null;  // the points' names, edges and face parts, and the server's limits
let results = [];  // {name, bitmap, width, height, faces, file, query, clip}; clip: of a video, see clips.js
export let current = null;  // the result on the canvas
let selected = null;  // {face, point} under the pointer or the arrow keys
let camera = null;  // what camera.js gives while it runs, with the times of its frames
let upload = null;  // an AbortController while files are processed
let player = null, crops = null, hiding = null;
let clipTools = [];  // what is made of a clip on the server

const setStatus = (text) => { byId("status").textContent = text; };
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const percent = (score) => `${Math.round(100 * score)} %`;
/** The photo that is shown, or null if it is a clip's or the camera's frame. */
const currentPhoto = () => (current?.file && !current.clip ? current : null);
const currentClip = () => (current?.clip ? current : null);

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
  const preview = hiding?.preview;
  const shown = preview ? { ...current, bitmap: preview, faces: [] } : current;
  drawResult(canvas.getContext("2d"), shown, network, displayed(), scale, preview ? null : selected);
  canvas.setAttribute("aria-label", `${current.name}: ${count(current.faces.length, "face")}`);
}

// Results

function listFaces(result) {
  const items = result.faces.map((face) => {
    const item = document.createElement("li");
    const size = `${Math.round(face.box[2] - face.box[0])} x ${Math.round(face.box[3] - face.box[1])} pixels`;
    item.textContent = `${face.track ? `face ${face.track}, ` : ""}score ${face.score.toFixed(2)}, ${size}`;
    for (const line of describe(face)) {
      const detail = document.createElement("div");
      detail.className = "hint";
      detail.textContent = line;
      item.append(detail);
    }
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
  byId("save-csv").disabled = !result.file;
  // Not of moving images: a table of thousands of cells takes longer than a frame.
  if (!camera && !isPlaying(result)) listPoints(result);
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
  player.open(result);
  listFaces(result);
  if (!camera) openTools();
  redraw();
  if (!camera) setStatus(`${result.name}: ${summaryOf(result)}`);
  for (const button of byId("thumbnails").children) {
    button.setAttribute("aria-pressed", String(button.result === result));
  }
}

function openTools() {
  for (const tool of [crops, hiding, ...clipTools]) tool.open();
}

function summaryOf(result) {
  if (!result.clip) return `${count(result.faces.length, "face")} found.`;
  const tracks = new Set(result.clip.frames.flatMap((frame) => frame.faces.map((face) => face.track)));
  return `${count(tracks.size, "face")} found in ${count(result.clip.frames.length, "frame")}.`;
}

/** Another frame of the clip that is shown. */
function showFrame(result) {
  if (result !== current) return;
  selected = null;
  byId("tip").hidden = true;
  listFaces(result);
  redraw();
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

async function decode(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // A format that browsers do not show, as TIFF: the server draws it, with its visible points.
    return await createImageBitmap((await send("v1/landmarks", { format: "image", hide_occluded: true }, file)).blob);
  }
}

function showProgress(share) {
  byId("working").hidden = share === null;
  // Without a value it moves to and fro: how long the server takes is not known.
  if (share === null || share >= 1) byId("progress").removeAttribute("value");
  else byId("progress").value = share;
}

async function processFile(file, place, signal) {
  const name = file.name || "image", { bytes, clip_seconds } = network.limits;
  if (file.size > bytes) throw new Error(`${name}: ${file.size.toLocaleString("en")} bytes; the server takes at most ${Math.floor(bytes / (1 << 20))} MiB.`);
  const query = { any_rotation: byId("any-rotation").checked };
  const asked = network.measures ? { ...query, measures: byId("measures").checked } : query;
  const isClip = await isVideo(file);
  const onProgress = (share) => {
    showProgress(share);
    const wait = isClip ? ` (clips of up to ${clip_seconds} seconds)` : "";
    setStatus(share < 1 ? `${place}${name}: ${percent(share)} uploaded ...` : `${place}${name}: finding faces${wait} ...`);
  };
  onProgress(0);
  if (isClip) {
    const answer = await sendForJson("v1/clips", { ...asked, smooth: byId("smooth").checked }, file, { field: "clip", onProgress, signal });
    return { ...await clipResult(file, answer), query };
  }
  const { width, height, faces } = (await sendForJson("v1/landmarks", asked, file, { onProgress, signal })).images[0];
  return { name, bitmap: await decode(file), width, height, faces, file, query };
}

async function predict(files) {
  camera?.stop();
  files = [...files];
  if (!files.length) return;
  upload?.abort();
  const own = upload = new AbortController();
  showError("");
  setStatus(`Processing ${count(files.length, "file")} ...`);
  const found = [], errors = [];
  for (const [index, file] of files.entries()) {
    const name = file.name || "image", place = files.length > 1 ? `${index + 1} of ${files.length}, ` : "";
    try {
      found.push(await processFile(file, place, own.signal));
    } catch (error) {
      if (error instanceof Cancelled) break;
      errors.push(error.message.startsWith(`${name}: `) ? error.message : `${name}: ${error.message}`);
    }
  }
  // Newer files were chosen meanwhile.
  if (upload !== own) return;
  upload = null;
  showProgress(null);
  if (errors.length) showError(errors.join(" "));
  const before = results.length ? " What was found before is still shown." : "";
  if (!found.length) { setStatus((own.signal.aborted ? "Cancelled." : "No file could be read.") + before); return; }
  for (const { clip } of results) if (clip?.video) URL.revokeObjectURL(clip.video.src);
  results = found;
  showThumbnails();
  showResult(results[0]);
}

async function predictSample() {
  const response = await fetch("sample.jpg");
  await predict([new File([await response.blob()], "sample.jpg", { type: "image/jpeg" })]);
}

const predictAgain = () => { if (!camera && results.length) predict(results.map((result) => result.file)); };

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
  if (!current || hiding.preview) return null;
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

function saveJson() {
  const saved = camera || !results.includes(current) ? [current] : results;
  const images = saved.flatMap(({ name, width, height, faces, clip }) => {
    if (!clip) return [{ image: name, width, height, faces }];
    return clip.frames.map((frame) => ({ image: frame.image, seconds: frame.seconds, width, height, faces: frame.faces }));
  });
  const blinks = saved.flatMap(({ clip }) => clip?.blinks || []);
  const value = { nasion: network.version, coordinates: COORDINATES, scheme: network.scheme, point_names: network.point_names, images };
  if (blinks.length) value.blinks = blinks;
  const blob = new Blob([JSON.stringify(value, null, 1)], { type: "application/json" });
  download(blob, `${withoutSuffix(current.name)}-points.json`);
}

/** As the server writes it, of the photo or clip that is shown. */
async function saveCsv() {
  const { file, clip, query, name } = current;
  const measured = network.measures ? { measures: byId("measures").checked } : {};
  const asked = { ...query, ...measured, format: "csv", ...(clip ? { smooth: byId("smooth").checked } : {}) };
  try {
    const { blob } = await send(clip ? "v1/clips" : "v1/landmarks", asked, file, clip ? { field: "clip" } : {});
    download(blob, `${withoutSuffix(name)}-points.csv`);
  } catch (error) {
    showError(error.message);
  }
}

function saveImage() {
  const whole = document.createElement("canvas");
  whole.width = current.width;
  whole.height = current.height;
  drawResult(whole.getContext("2d"), current, network, displayed(), 1, null);
  const frame = current.clip ? `@${current.clip.at}` : "";
  whole.toBlob((blob) => download(blob, `${withoutSuffix(current.name)}${frame}-points.png`), "image/png");
}

// Camera

async function toggleCamera() {
  if (camera) { camera.stop(); return; }
  showError("");
  const query = { smooth: byId("smooth").checked };
  if (network.measures) query.measures = byId("measures").checked;
  const times = [];
  let reported = 0;
  const show = (result, milliseconds) => {
    const now = performance.now();
    times.push(now);
    while (now - times[0] > 2000) times.shift();
    if (now - reported >= 1000 && times.length > 1) {
      reported = now;
      const rate = (times.length - 1) / (now - times[0]) * 1000;
      setStatus(`Camera: ${count(result.faces.length, "face")}, ${rate.toFixed(0)} frames per second, ${milliseconds.toFixed(0)} ms each.`);
    }
    showResult(result);
  };
  const ended = (reason) => {
    camera = null;
    byId("camera").setAttribute("aria-pressed", "false");
    if (reason) showError(reason);
    else setStatus("The camera is off.");
  };
  try {
    camera = await startCamera(query, show, ended);
  } catch (error) {
    showError(error.message);
    return;
  }
  byId("camera").setAttribute("aria-pressed", "true");
  byId("thumbnails").hidden = true;
  openTools();
}

// Events

async function start() {
  network = await (await fetch("v1/network")).json();
  restoreSettings();
  player = new Player(showFrame);
  crops = new CropTool(currentPhoto, currentClip, network);
  hiding = new HideTool(currentPhoto, network, () => select(null, false));
  clipTools = [new DrawTool(currentClip, network), new CropClipTool(currentClip), new HideClipTool(currentClip)];
  for (const id of ["measures-choice", "axes-choice"]) byId(id).hidden = !network.measures;
  updateLegend();
  byId("choose").addEventListener("click", () => byId("files").click());
  byId("files").addEventListener("change", (event) => { predict(event.target.files); event.target.value = ""; });
  byId("sample").addEventListener("click", predictSample);
  byId("camera").addEventListener("click", toggleCamera);
  byId("save-json").addEventListener("click", saveJson);
  byId("save-csv").addEventListener("click", saveCsv);
  byId("save-image").addEventListener("click", saveImage);
  const redisplay = () => { redraw(); if (current && !camera && !isPlaying(current)) listPoints(current); };
  byId("display").addEventListener("change", () => { saveSettings(); redisplay(); });
  byId("reset").addEventListener("click", () => { resetSettings(); redisplay(); });
  byId("cancel").addEventListener("click", () => upload?.abort());
  byId("measures").addEventListener("change", async () => { saveSettings(); if (camera) { camera.stop(); await toggleCamera(); } else predictAgain(); });
  byId("any-rotation").addEventListener("change", predictAgain);
  byId("smooth").addEventListener("change", async () => { if (camera) { camera.stop(); await toggleCamera(); } else if (results.some((result) => result.clip)) predictAgain(); });
  canvas.addEventListener("pointermove", (event) => select(nearestPoint(event), false));
  canvas.addEventListener("pointerdown", (event) => select(nearestPoint(event), false));
  canvas.addEventListener("pointerleave", () => select(null, false));
  canvas.addEventListener("keydown", onKey);
  document.addEventListener("paste", (event) => predict([...event.clipboardData.files]));
  const setOver = (over) => (event) => { event.preventDefault(); byId("stage").classList.toggle("over", over); };
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, setOver(true));
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, setOver(false));
  document.addEventListener("drop", (event) => predict(event.dataTransfer.files));
  window.addEventListener("resize", () => { player.draw(); if (current) select(null, false); });
  document.body.dataset.ready = "yes";
}

start().catch((error) => showError(`The server does not answer: ${error.message}`));
