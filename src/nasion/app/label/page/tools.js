// What pointer and keys do at present: edit, place, here (the next click moves the selected point),
// box or shape.

export class Tools {
  mode = "edit";
  pointer = null;  // the mouse on the stage, in its pixels
  crosshair = null;  // where Enter places a point, in pixels of the image
  boxDraft = null;
  frame = null;  // of shape mode: box, handles, centre
  isHidden = false;  // points are hidden while a key is held
  isDragging = false;
  isPanning = false;  // space is held
  isMagnifying = false;
  #listeners = [];

  onmode(listener) {
    this.#listeners.push(listener);
  }

  setMode(mode) {
    this.mode = mode;
    for (const listener of this.#listeners) listener(mode);
  }

  toggle(mode) {
    this.setMode(this.mode === mode ? "edit" : mode);
  }
}
