// Everything that can be done, with its name and its default keys. `stage`: only while the image has
// the focus, so that lists and buttons keep their own arrows, Tab and Enter.

const STEP = 1, LEAP = 10, PAN = 60;  // image pixels; screen pixels

function arrows(name, modifier, run) {
  const ways = [["left", "ArrowLeft", -1, 0], ["right", "ArrowRight", 1, 0],
    ["up", "ArrowUp", 0, -1], ["down", "ArrowDown", 0, 1]];
  return ways.map(([way, key, x, y]) => ({
    id: `${name}-${way}`, label: `${run.label} ${way}`, keys: [modifier + key], stage: true,
    group: run.group, run: (app) => run.run(app, x, y),
  }));
}

const MOVE = "Move points", MARK = "What a point is", EDIT = "Contours, sides, shape";
const LOOK = "View", GO = "Faces";

export const COMMANDS = [
  ...arrows("nudge", "", { label: "Point 1 px", group: MOVE, run: (app, x, y) => app.points.nudge(STEP * x, STEP * y) }),
  ...arrows("leap", "Shift+", { label: "Point 10 px", group: MOVE, run: (app, x, y) => app.points.nudge(LEAP * x, LEAP * y) }),
  { id: "enter", label: "Place at the crosshair, or accept; then the next", keys: ["Enter"], stage: true, group: MOVE, run: (app) => app.points.enter() },
  { id: "skip", label: "Skip to the next point without a place", keys: ["s"], group: MOVE, run: (app) => app.points.skip() },
  { id: "here", label: "Move the selected point to the pointer", keys: ["m"], group: MOVE, run: (app) => app.points.moveToPointer() },
  { id: "next-point", label: "Next point", keys: ["Tab"], stage: true, group: MOVE, run: (app) => app.points.step(1) },
  { id: "previous-point", label: "Previous point", keys: ["Shift+Tab"], stage: true, group: MOVE, run: (app) => app.points.step(-1) },
  { id: "doubtful", label: "Next doubtful point", keys: ["d"], group: MOVE, run: (app) => app.points.nextDoubtful() },
  { id: "place", label: "Place points by clicking", keys: ["p"], group: MOVE, run: (app) => app.tools.toggle("place") },
  { id: "occluded", label: "Occluded or visible", keys: ["o"], group: MARK, run: (app) => app.points.toggleOccluded() },
  { id: "missing", label: "Missing", keys: ["Delete", "Backspace"], group: MARK, run: (app) => app.points.markMissing() },
  { id: "accept", label: "Accept the point's proposal", keys: ["a"], group: MARK, run: (app) => app.points.acceptSelected() },
  { id: "accept-all", label: "Accept the whole proposal", keys: ["Shift+a"], group: MARK, run: (app) => app.points.acceptAll() },
  { id: "confirm", label: "The suspected label is right", keys: ["c"], group: MARK, run: (app) => app.points.confirm() },
  { id: "fill-previous", label: "Fill from the previous face", keys: ["1"], group: MARK, run: (app) => app.points.fillFromPrevious() },
  { id: "fill-reference", label: "Fill from the reference face", keys: ["2"], group: MARK, run: (app) => app.points.fillFromReference() },
  { id: "fill-mirror", label: "Fill from the other half", keys: ["3"], group: MARK, run: (app) => app.points.fillFromMirror() },
  { id: "fill-proposal", label: "Fill from the proposal", keys: ["4"], group: MARK, run: (app) => app.points.acceptAll() },
  { id: "part", label: "Select the point's contour, then its part", keys: ["v"], group: EDIT, run: (app) => app.points.selectPart() },
  { id: "shape", label: "Move, turn and scale the part or face", keys: ["b"], group: EDIT, run: (app) => app.tools.toggle("shape") },
  { id: "turn-left", label: "Shape: turn left 1°", keys: ["q"], group: EDIT, run: (app) => app.shapeStep({ degrees: -1 }) },
  { id: "turn-right", label: "Shape: turn right 1°", keys: ["e"], group: EDIT, run: (app) => app.shapeStep({ degrees: 1 }) },
  { id: "larger", label: "Shape larger; else zoom in", keys: ["+", "="], group: EDIT, run: (app) => app.scaleOrZoom(1) },
  { id: "smaller", label: "Shape smaller; else zoom out", keys: ["-"], group: EDIT, run: (app) => app.scaleOrZoom(-1) },
  { id: "shift-back", label: "Contour: back by one point", keys: [","], group: EDIT, run: (app) => app.points.shift(-1) },
  { id: "shift-on", label: "Contour: on by one point", keys: ["."], group: EDIT, run: (app) => app.points.shift(1) },
  { id: "slide-back", label: "Slide the point back along its contour", keys: ["<"], group: EDIT, run: (app) => app.points.slide(-1) },
  { id: "slide-on", label: "Slide the point on along its contour", keys: [">"], group: EDIT, run: (app) => app.points.slide(1) },
  { id: "reverse", label: "Reverse the contour", keys: ["r"], group: EDIT, run: (app) => app.points.reverse() },
  { id: "swap", label: "Swap left and right", keys: ["w"], group: EDIT, run: (app) => app.points.swapSides() },
  { id: "box", label: "Correct or draw the box", keys: ["x"], group: EDIT, run: (app) => app.boxMode(false) },
  { id: "undo", label: "Undo, this face", keys: ["Ctrl+z"], group: EDIT, run: (app) => app.labelling.undo() },
  { id: "redo", label: "Redo, this face", keys: ["Ctrl+Shift+z", "Ctrl+y"], group: EDIT, run: (app) => app.labelling.redo() },
  { id: "zoom-face", label: "Zoom to the face", keys: ["f"], group: LOOK, run: (app) => app.viewActions.zoomFace() },
  { id: "zoom-point", label: "Zoom to the point, 8 times", keys: ["z"], group: LOOK, run: (app) => app.viewActions.zoomPoint() },
  { id: "zoom-image", label: "Show the whole image", keys: ["0"], group: LOOK, run: (app) => app.viewActions.zoomImage() },
  ...arrows("pan", "Ctrl+", { label: "Pan", group: LOOK, run: (app, x, y) => app.viewActions.pan(-PAN * x, -PAN * y) }),
  { id: "magnify", label: "Magnifier while held", keys: ["g"], group: LOOK, run: (app) => app.magnify(true), release: (app) => app.magnify(false) },
  { id: "hide", label: "Hide points while held", keys: ["h"], group: LOOK, run: (app) => app.hidePoints(true), release: (app) => app.hidePoints(false) },
  { id: "lines", label: "Lines", keys: ["l"], group: LOOK, run: (app) => app.toggleSetting("lines") },
  { id: "names", label: "Names of all points", keys: ["t"], group: LOOK, run: (app) => app.toggleSetting("names") },
  { id: "next", label: "Next face", keys: ["j"], group: GO, run: (app) => app.faces.go(1) },
  { id: "previous", label: "Previous face", keys: ["k"], group: GO, run: (app) => app.faces.go(-1) },
  { id: "next-open", label: "Next unfinished face in the order", keys: ["n"], group: GO, run: (app) => app.faces.nextOpen() },
  { id: "done", label: "Done, and on", keys: ["Shift+Enter"], group: GO, run: (app) => app.faces.finish() },
  { id: "help", label: "Keys", keys: ["?"], group: GO, run: (app) => app.keysDialog.open() },
];

export const commandById = new Map(COMMANDS.map((command) => [command.id, command]));
