// Clips: a video whose frames are shown with the faces that the server found in them.

import { drawPlot, LINE_COLOURS, nearestFrame, tracksOf } from "./measures.js";

const ENDINGS = /\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|m2?ts|wmv|flv|3gp|ogv)$/i;
// First bytes of files; brands of AVIF and HEIC, which begin as MP4 does.
const IMAGE_BRANDS = /^(avi[fs]|hei[cmsx]|hev[cmsx]|mif1|msf1)/;
const IMAGES = /^(\xff\xd8\xff|\x89PNG|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP)/s;
const VIDEOS = /^(\x1aE\xdf\xa3|RIFF....AVI )/s;
const byId = (id) => document.getElementById(id);

/** Whether a file is a video: by its first bytes, since its name may be wrong; else by type and name. */
export async function isVideo(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  if (head.slice(4, 8) === "ftyp") return !IMAGE_BRANDS.test(head.slice(8));
  if (IMAGES.test(head)) return false;
  return VIDEOS.test(head) || file.type.startsWith("video/") || ENDINGS.test(file.name);
}

/** A result of page.js from what /v1/clips answers. Its `faces` are those of the frame that is shown. */
export async function clipResult(file, answer) {
  const frames = answer.images.map(({ image, seconds, faces }) => ({ image, seconds, faces }));
  const { width, height } = answer.images[0];
  const video = await playable(file);
  const still = document.createElement("canvas");
  still.width = width;
  still.height = height;
  return {
    name: file.name, file, width, height, faces: frames[0].faces, bitmap: video || still,
    clip: { frames, blinks: answer.blinks || [], video, at: 0 },
  };
}

/** A video element with its first frame, or null if this browser cannot play the file. */
function playable(file) {
  return new Promise((resolve) => {
    const video = document.createElement("video");
    video.muted = video.playsInline = true;
    video.preload = "auto";
    video.addEventListener("loadeddata", () => resolve(video.videoWidth ? video : null), { once: true });
    video.addEventListener("error", () => resolve(null), { once: true });
    video.src = URL.createObjectURL(file);
  });
}

export const isPlaying = (result) => Boolean(result?.clip?.video && !result.clip.video.paused && !result.clip.video.ended);

/** The controls and the plot below the image. `show(result)`: called when another frame is shown. */
export class Player {
  constructor(show) {
    this.show = show;
    this.result = null;
    this.plot = null;
    byId("play").addEventListener("click", () => this.toggle());
    byId("seek").addEventListener("input", (event) => this.seek(Number(event.target.value)));
    byId("plot-what").addEventListener("change", () => this.draw());
    byId("plot").addEventListener("click", (event) => {
      if (this.plot) this.seek(this.plot.toFrame(event.clientX - byId("plot").getBoundingClientRect().left));
    });
  }

  /** Shows the controls for a clip; hides them for anything else. */
  open(result) {
    if (this.result === result) return;
    this.result?.clip?.video?.pause();
    this.result = result.clip ? result : null;
    byId("player").hidden = !result.clip;
    byId("timeline").hidden = !result.clip;
    if (!result.clip) return;
    const { frames, video, at } = result.clip;
    byId("seek").max = frames.length - 1;
    byId("play").disabled = !video;
    byId("unplayable").hidden = Boolean(video);
    if (video && !video.onseeked) {
      video.onseeked = () => { if (this.result === result) this.show(result); };
      video.onplay = video.onpause = video.onended = () => this.label();
    }
    this.label();
    this.mark(at);
    this.draw();
    this.listBlinks();
  }

  toggle() {
    const { video } = this.result.clip;
    if (!video.paused && !video.ended) { video.pause(); return; }
    video.play();
    this.follow(this.result);
  }

  /** Shows each frame of the playing video with its own faces. */
  follow(result) {
    const { video, frames } = result.clip;
    const next = (_, metadata) => {
      if (this.result !== result) return;
      const seconds = metadata?.mediaTime ?? video.currentTime;
      this.mark(nearestFrame(frames, seconds));
      this.show(result);
      if (!video.paused && !video.ended) ask();
    };
    const ask = () => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(next) : requestAnimationFrame(next));
    ask();
  }

  seek(at) {
    const { frames, video } = this.result.clip;
    this.mark(at);
    if (!video) { this.show(this.result); return; }
    video.pause();
    // In the middle of the frame, so that rounding cannot lead to its neighbour.
    const next = frames[at + 1]?.seconds ?? frames[at].seconds;
    video.currentTime = (frames[at].seconds + next) / 2;
  }

  mark(at) {
    const { clip } = this.result, { seconds, faces } = clip.frames[at];
    clip.at = at;
    this.result.faces = faces;
    byId("seek").value = at;
    byId("seek").setAttribute("aria-valuetext", `${seconds.toFixed(2)} seconds`);
    byId("time").textContent = `${seconds.toFixed(2)} s, frame ${at}`;
    if (!this.plot) return;
    const cursor = byId("plot").querySelector(".cursor"), x = this.plot.toX(seconds);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
  }

  label() {
    byId("play").textContent = isPlaying(this.result) ? "Pause" : "Play";
  }

  draw() {
    if (!this.result) return;
    const { frames, blinks, at } = this.result.clip;
    const isMeasured = frames.some((frame) => frame.faces.some((face) => face.pose));
    byId("timeline").hidden = !isMeasured;
    this.plot = isMeasured ? drawPlot(byId("plot"), frames, blinks, byId("plot-what").value) : null;
    this.mark(at);
  }

  listBlinks() {
    const { frames, blinks } = this.result.clip;
    const items = tracksOf(frames).map((track, index) => {
      const own = blinks.filter((blink) => blink.track === track);
      const item = document.createElement("li"), dot = document.createElement("i");
      dot.style.background = LINE_COLOURS[index % LINE_COLOURS.length];
      const times = own.map((blink) => `${blink.lowest.toFixed(2)} s`).join(", ");
      const what = own.length ? `${own.length} blink${own.length === 1 ? "" : "s"} (${times})` : "no blink";
      item.append(dot, ` face ${track}: ${what}`);
      return item;
    });
    byId("blinks").replaceChildren(...items);
  }
}
