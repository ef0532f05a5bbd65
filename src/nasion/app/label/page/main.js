// The page of nasion label: puts its parts together.

import { Boxes } from "./boxes.js";
import { commandById } from "./commands.js";
import { ConflictDialog } from "./conflict.js";
import { announce, byId, button, readable } from "./dom.js";
import { Drawing } from "./drawing.js";
import { FaceActions } from "./face_actions.js";
import { FacePanel } from "./face_panel.js";
import { Pointers } from "./gestures.js";
import { Images } from "./images.js";
import { Keys } from "./keys.js";
import { KeysDialog } from "./keys_dialog.js";
import { Labelling } from "./labelling.js";
import { Learn } from "./learn.js";
import { Lens } from "./lens.js";
import { Panels } from "./panels.js";
import { PointActions } from "./point_actions.js";
import { PointMenu } from "./point_menu.js";
import { PointsList } from "./points_list.js";
import { ProgressDialog } from "./progress.js";
import { QueuePanel } from "./queue.js";
import { Reference } from "./reference.js";
import { showSaved } from "./saved_line.js";
import { SchemePicture } from "./scheme_picture.js";
import { set, settings } from "./settings.js";
import { Shape } from "./shape.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";
import { ViewActions } from "./view_actions.js";
import { get } from "./api.js";

const AHEAD = [1, 2, 3, -1];  // images that are decoded before they are asked for
const NARROW = 700;  // CSS pixels: below, fingers zoom and the image needs the room
const SCALE_STEP = 1.01, ZOOM_STEP = 1.25;

class App {
  tools = new Tools();
  view = new View();
  images = new Images();
  panels = new Panels();

  constructor() {
    this.conflict = new ConflictDialog(this);
    this.labelling = new Labelling((question) => this.conflict.decide(question));
    const { labelling, tools, view } = this, stage = byId("stage");
    this.drawing = new Drawing({
      stage, view, labelling, tools, settings,
      image: byId("image-layer"), points: byId("point-layer"),
    });
    this.lens = new Lens(byId("lens"), this.drawing);
    this.shape = new Shape(this);
    this.boxes = new Boxes(this);
    this.points = new PointActions(this);
    this.viewActions = new ViewActions(this);
    this.faces = new FaceActions(this);
    this.menu = new PointMenu(this);
    this.pointers = new Pointers({
      stage, view, labelling, tools, drawing: this.drawing, lens: this.lens, shape: this.shape,
      boxes: this.boxes, menu: this.menu,
      changedView: () => this.viewActions.changed(),
      moveSelected: (place) => this.points.moveSelected(place),
      placeNext: (place) => this.points.placeNext(place),
      accept: (points) => this.points.accept(points),
    });
    this.keys = new Keys(this, stage);
    this.keysDialog = new KeysDialog();
    this.queuePanel = new QueuePanel(this);
    this.pointsList = new PointsList(this);
    this.schemePicture = new SchemePicture(this);
    this.reference = new Reference(this);
    this.facePanel = new FacePanel(this);
    this.progress = new ProgressDialog();
    this.learn = new Learn(this);
    this.#listen();
    this.#wireButtons();
    this.#wireDisplay();
  }

  async start() {
    const { labelling } = this;
    await labelling.start(settings.order);
    const { scheme, session } = { scheme: labelling.scheme, session: labelling.session };
    this.drawing.useScheme(scheme);
    this.pointsList.useScheme(scheme);
    this.schemePicture.useScheme(scheme);
    this.queuePanel.useOrders(session.orders, labelling.order);
    const folder = session.data.replace(/[\\/]+$/, "").split(/[\\/]/).at(-1);
    byId("data-name").textContent = `label ${folder}`;
    byId("data-name").title = `${session.data}, changes in ${session.list}`;
    document.title = `${folder}: label faces`;
    if (session.read_only) {
      announce(`Nothing can be saved: ${session.read_only}`, { isError: true });
      byId("saved").textContent = "⚠ Read only";
    }
    this.learn.begin(session.models_version);
    if (!labelling.queue.length) return this.#showEmpty("There is no face or image here.");
    await this.faces.open(this.#first());
    document.body.dataset.ready = "yes";
  }

  /** The face of the address; else one that is begun; else the first that is left. */
  #first() {
    const { labelling } = this, asked = new URLSearchParams(location.hash.slice(1));
    const known = labelling.find(asked.get("face"), Number(asked.get("repeat") ?? 0));
    const of = (state) => labelling.queue.findIndex((it) => it.state === state);
    return [known, of("begun"), of("todo"), 0].find((index) => index >= 0);
  }

  #showEmpty(text) {
    byId("stage-empty").hidden = !text;
    byId("stage-empty").textContent = text;
    if (text) document.body.dataset.ready = "yes";
  }

  #listen() {
    const { labelling, tools, drawing } = this;
    labelling.on("saved", (state) => showSaved(state, labelling.outbox?.isStoring ?? true));
    labelling.on("face", () => this.#shown());
    labelling.on("points selection", () => {
      this.shape.update();
      this.#mode();
      drawing.request("points");
    });
    labelling.on("proposed", (isFound) => {
      if (tools.mode === "edit") this.#beginMode();
      if (isFound) this.viewActions.zoomFace();
    });
    labelling.on("needs-box", () => this.boxMode(false));
    tools.onmode(() => {
      tools.boxDraft = null;
      this.shape.update();
      this.#mode();
      drawing.request("points");
    });
    this.onview = () => { byId("zoom").textContent = `${Math.round(100 * this.view.scale)} %`; };
    drawing.onresize = ([width, height], [wide, high]) =>
      this.view.panBy((wide - width) / 2, (high - height) / 2);
    const commit = () => labelling.commit();
    for (const name of ["pagehide", "visibilitychange"]) addEventListener(name, commit);
  }

  async #shown() {
    const { labelling, drawing, tools } = this, { doc } = labelling;
    const { face, repeat } = doc;
    const hash = new URLSearchParams(repeat ? { face, repeat } : { face });
    history.replaceState(null, "", `#${hash}`);
    drawing.others = [];
    tools.crosshair = null;
    try {
      const image = await this.images.load(doc.image);
      if (labelling.doc !== doc) return;
      drawing.shown = image;
      this.#showEmpty("");
    } catch (error) {
      if (labelling.doc !== doc) return;
      drawing.shown = null;
      this.#showEmpty(error.message);
    }
    this.#beginMode();
    this.viewActions.zoomFace();
    this.#preload();
  }

  /** A box is asked for where the detector found no face, points where nothing proposes any. */
  #beginMode() {
    const { doc } = this.labelling;
    const isKnown = !doc.pending;
    const needsBox = isKnown && doc.is_new && !doc.box;
    this.tools.setMode(needsBox ? "box" : isKnown && doc.unplaced.length ? "place" : "edit");
  }

  #preload() {
    const { labelling } = this, { queue, index } = labelling;
    setTimeout(async () => {
      for (const step of AHEAD) {
        const entry = queue[index + step];
        if (!entry || labelling.index !== index) continue;
        // Its description also lets the server begin with its proposal.
        const { face, repeat } = entry;
        const next = await get("face", { face, repeat }).catch(() => null);
        if (next && labelling.index === index) this.images.load(next.image).catch(() => {});
      }
    }, 50);
  }

  // Modes

  boxMode(isNewFace) {
    if (this.tools.mode === "box" && !isNewFace) return this.tools.setMode("edit");
    this.panels.close();
    this.tools.setMode("box");
    this.boxes.begin(isNewFace);
    if (isNewFace) this.viewActions.zoomImage();
  }

  #mode() {
    const { labelling, tools } = this, { mode } = tools, { doc } = labelling;
    byId("stage").dataset.cursor = mode;
    for (const it of document.querySelectorAll("[data-mode], [data-shows]")) {
      it.setAttribute("aria-pressed", String((it.dataset.mode ?? it.dataset.shows) === mode));
    }
    byId("mode-bar").hidden = mode === "edit" || !doc;
    byId("mode-skip").hidden = mode !== "place";
    byId("mode-text").textContent = doc ? this.#modeText(mode, doc) : "";
    this.#pad(mode === "shape");
  }

  #modeText(mode, doc) {
    const { labelling } = this, { current } = labelling;
    if (mode === "place") {
      const isOpen = current >= 0 && !doc.points[current];
      const next = isOpen ? current : this.points.nextUnplaced(current);
      return next < 0 ? "Every point has a place." : `Place: ${readable(doc.names[next])}`;
    }
    if (mode === "here") {
      return current < 0 ? "Select a point, then click where it belongs."
        : `Click where ${readable(doc.names[current])} belongs.`;
    }
    if (mode === "box") {
      return this.boxes.isNewFace || !doc.box
        ? "Draw a box around the face: drag, or click two corners."
        : "Drag corners or edges, or draw a new box.";
    }
    return labelling.several.size > 1
      ? "The selected part: drag inside to move it, handles to turn and scale it."
      : "The whole face: drag inside to move it, handles to turn and scale it.";
  }

  // Buttons

  #wireButtons() {
    const { faces, labelling, tools } = this;
    byId("previous").onclick = () => faces.go(-1);
    byId("next").onclick = () => faces.go(1);
    byId("next-open").onclick = () => faces.nextOpen();
    byId("undo").onclick = () => labelling.undo();
    byId("redo").onclick = () => labelling.redo();
    byId("mode-skip").onclick = () => this.points.skip();
    byId("mode-end").onclick = () => tools.setMode("edit");
    byId("hide").onclick = () => this.hidePoints(!tools.isHidden);
    for (const it of document.querySelectorAll("[data-mode]")) {
      it.onclick = () => tools.toggle(it.dataset.mode);
    }
    for (const it of document.querySelectorAll("button[data-command]")) {
      it.onclick = () => labelling.doc && commandById.get(it.dataset.command).run(this);
    }
    this.#pad(false);
  }

  /** Buttons for what drags and pinches do: pan and zoom, or move, turn and scale the shape. */
  #pad(isShape) {
    if (this.padShape === isShape) return;
    this.padShape = isShape;
    const { viewActions: view } = this;
    const move = (x, y) =>
      (isShape ? this.shapeStep({ dx: x, dy: y }) : view.pan(-60 * x, -60 * y));
    const verb = isShape ? "Move" : "Pan";
    const items = [
      isShape ? ["⟲", "Turn left", () => this.shapeStep({ degrees: -1 })]
        : ["−", "Zoom out", () => this.scaleOrZoom(-1)],
      ["↑", `${verb} up`, () => move(0, -1)],
      isShape ? ["⟳", "Turn right", () => this.shapeStep({ degrees: 1 })]
        : ["+", "Zoom in", () => this.scaleOrZoom(1)],
      ["←", `${verb} left`, () => move(-1, 0)],
      ["◉", "Zoom to the face", () => this.viewActions.zoomFace()],
      ["→", `${verb} right`, () => move(1, 0)],
      isShape ? ["−", "Smaller", () => this.scaleOrZoom(-1)]
        : ["8×", "Zoom to the point, 8 times", () => view.zoomPoint()],
      ["↓", `${verb} down`, () => move(0, 1)],
      isShape ? ["+", "Larger", () => this.scaleOrZoom(1)]
        : ["▣", "Whole image", () => view.zoomImage()],
    ];
    byId("pad").classList.toggle("shape", isShape);
    byId("pad").setAttribute("aria-label", isShape ? "Move, turn and scale" : "Zoom and pan");
    byId("pad").replaceChildren(...items.map(([text, label, run]) =>
      button(text, run, { "aria-label": label, title: label })));
  }

  shapeStep(step) {
    if (this.tools.mode === "shape") this.shape.step(step);
    else announce("B starts moving, turning and scaling the shape.");
  }

  scaleOrZoom(way) {
    if (this.tools.mode === "shape") this.shape.step({ scale: SCALE_STEP ** way });
    else this.viewActions.zoom(ZOOM_STEP ** way);
  }

  magnify(isOn) {
    const { tools, view, labelling } = this;
    tools.isMagnifying = isOn;
    if (!isOn) return this.lens.hide();
    const { current } = labelling;
    const place = current >= 0 ? labelling.placeOf(current) : tools.crosshair;
    if (tools.pointer) this.lens.show(view.toImage(tools.pointer), tools.pointer, false);
    else if (place) this.lens.show(place, view.toStage(place), false);
  }

  hidePoints(isHidden) {
    this.tools.isHidden = isHidden;
    byId("hide").setAttribute("aria-pressed", String(isHidden));
    this.drawing.request("points");
  }

  // Display settings

  toggleSetting(name) {
    set(name, !settings[name]);
    byId(name).checked = settings[name];
    announce(`${readable(name)}: ${settings[name] ? "shown" : "hidden"}.`);
    this.drawing.request();
  }

  #wireDisplay() {
    for (const name of ["lines", "names", "boxes", "pixels"]) {
      byId(name).checked = settings[name];
      byId(name).onchange = () => this.toggleSetting(name);
    }
    const pad = byId("pad-shown");
    const showPad = () => byId("middle").classList.toggle("without-pad", !pad.checked);
    pad.checked = settings.pad ?? innerWidth >= NARROW;
    pad.onchange = () => {
      set("pad", pad.checked);
      showPad();
    };
    showPad();
    const ranges = { brightness: "brightness", contrast: "contrast", "point-size": "pointSize" };
    for (const [id, name] of Object.entries(ranges)) {
      byId(id).value = settings[name];
      byId(id).oninput = () => {
        set(name, Number(byId(id).value));
        this.#light();
      };
    }
    byId("reset-light").onclick = () => {
      for (const name of ["brightness", "contrast"]) {
        set(name, 100);
        byId(name).value = 100;
      }
      this.#light();
    };
    this.#light();
  }

  #light() {
    const { brightness, contrast } = settings;
    const isPlain = brightness === 100 && contrast === 100;
    const filter = `brightness(${brightness}%) contrast(${contrast}%)`;
    byId("image-layer").style.filter = isPlain ? "" : filter;
    this.drawing.request("points");
  }
}

const app = new App();
app.start().catch((error) => {
  const text = `The page cannot start: ${error.message}. Reload it once the server runs.`;
  byId("stage-empty").textContent = text;
  announce(error.message, { isError: true });
});

/** For the console and for tests. */
globalThis.nasionLabel = app;
