// The viewer's controls. Names and units come from files: they become text, and never markup.
const root = document.getElementById("inveon-viewer");
const find = (name) => root.querySelector(`.viewer-${name}`);
const textOf = (id) => document.getElementById(id).textContent;
const volumes = JSON.parse(textOf("inveon-volumes"));
const layers = [];  // from below to the top: {volume, shown, element}

async function unpacked(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n += 1) bytes[n] = text.charCodeAt(n);
  return new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
}

async function library() {
  const code = await new Response(await unpacked(textOf("inveon-niivue"))).text();
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    await import(url);  // it is a script that leaves a global variable
    return globalThis.niivue.Niivue;
  } finally {
    URL.revokeObjectURL(url);
  }
}

// Letters and scale bars are worked out from where the corners of a slice are, and not from what it is called.
function marked(Niivue) {
  return class extends Niivue {
    drawScene() {
      const drawn = super.drawScene();
      const slices = this.volumes.length ? this.screenSlices : [];
      const marks = slices.flatMap((slice, index) => (slice.axCorSag <= 2 ? marksOf(this, slice, index) : []));
      find("marks").replaceChildren(...marks);
      return drawn;
    }
  };
}

function marksOf(niivue, slice, index) {
  let [left, top, width, height] = slice.leftTopWidthHeight;
  if (width < 0) [left, width] = [left + width, -width];
  const at = (across, down) => {
    const fraction = niivue.screenXY2TextureFrac(left + across * width, top + down * height, index);
    return fraction[0] < 0 ? null : flipped(Array.from(niivue.frac2mm(fraction)));
  };
  const [one, right, below] = [at(0.3, 0.3), at(0.7, 0.3), at(0.3, 0.7)];
  if (!one || !right || !below) return [];
  const [rightwards, downwards] = [right, below].map((end) => end.map((mm, n) => mm - one[n]));
  const dpr = niivue.uiData.dpr || 1;
  const [x, y, w, h] = [left, top, width, height].map((pixels) => pixels / dpr);
  const sides = [[x + w - 10, y + h / 2, letter(rightwards)], [x + 10, y + h / 2, letter(rightwards.map((mm) => -mm))],
    [x + w / 2, y + 12, letter(downwards.map((mm) => -mm))], [x + w / 2, y + h - 12, letter(downwards)]];
  const doubt = layers.some(({ volume }) => volume && volume.assumed) ? "?" : "";
  const letters = sides.map(([across, down, text]) => mark("viewer-letter", across, down, { textContent: text + doubt }));
  return [...letters, scaleBar(x + 14, y + h - 14, w, Math.hypot(...rightwards) / (0.4 * w))];
}

function letter(step) {
  const axis = step.reduce((largest, mm, n) => (Math.abs(mm) > Math.abs(step[largest]) ? n : largest), 0);
  return ["LPH", "RAF"][step[axis] > 0 ? 0 : 1][axis];
}

function scaleBar(left, top, width, mmOfPixel) {
  const mm = [50, 20, 10, 5, 2, 1, 0.5].find((length) => length / mmOfPixel < width / 3) || 0.2;
  const bar = mark("viewer-scale", left, top, { textContent: `${mm} mm` });
  bar.style.width = `${mm / mmOfPixel}px`;
  return bar;
}

function mark(className, left, top, properties) {
  const element = made("span", { className, ...properties });
  element.style.left = `${left}px`;
  element.style.top = `${top}px`;
  return element;
}

// NIfTI of physical values, float32, 4D: the header stands in the page, the values are voxel * factor + intercept.
async function nifti(number) {
  const volume = volumes[number];
  const packed = await new Response(await unpacked(textOf(`inveon-voxels-${number}`))).arrayBuffer();
  const voxels = volume.bytes === 2 ? new Int16Array(packed) : new Float32Array(packed);
  const header = Uint8Array.from(atob(volume.nifti), (letter) => letter.charCodeAt(0));
  const file = new ArrayBuffer(header.length + 4 * voxels.length);
  new Uint8Array(file).set(header);
  const values = new Float32Array(file, header.length);
  const inFrame = voxels.length / volume.factors.length;
  volume.factors.forEach((factor, frame) => {
    for (let n = frame * inFrame; n < (frame + 1) * inFrame; n += 1) values[n] = voxels[n] * factor + volume.intercept;
  });
  return file;
}

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function number(value) {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.max(0, Math.min(6, 4 - Math.floor(Math.log10(Math.abs(value) || 1))));
  return value.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

function problem(text) {
  const message = find("message");
  message.textContent = text;
  message.classList.add("viewer-problem");
  message.hidden = false;
}

// LPS, which DICOM and the rest of the page speak; NiiVue speaks RAS.
const flipped = ([x, y, z]) => [-x, -y, z];

function place(niivue) {
  return flipped(Array.from(niivue.frac2mm(niivue.scene.crosshairPos)).slice(0, 3));
}

function goTo(niivue, lps) {
  const fraction = niivue.mm2frac(flipped(lps));
  niivue.scene.crosshairPos = fraction.map((each) => Math.min(1, Math.max(0, each)));
  niivue.drawScene();
  showPlace(niivue);
}

function showPlace(niivue) {
  const lps = place(niivue);
  ["x", "y", "z"].forEach((axis, n) => {
    const input = find(axis);
    if (document.activeElement !== input) input.value = lps[n].toFixed(2);
  });
  const sides = [["left", "right"], ["towards the back", "towards the belly"], ["towards the head", "towards the tail"]];
  find("words").textContent = lps.map((mm, n) => `${Math.abs(mm).toFixed(1)} ${sides[n][mm < 0 ? 1 : 0]}`).join(", ");
  for (const layer of layers) showValue(layer, niivue, lps);
}

function showValue(layer, niivue, lps) {
  const output = layer.element.querySelector(".viewer-value");
  const { shown, volume } = layer;
  layer.suv.textContent = "";
  if (!shown) {
    output.textContent = "";
    delete output.dataset.value;
    return;
  }
  const voxel = shown.mm2vox(flipped(lps));
  const sizes = shown.dimsRAS.slice(1, 4);
  const inside = voxel.every((each, n) => each >= 0 && each < sizes[n]);
  const value = inside ? shown.getValue(...voxel, shown.frame4D) : NaN;
  output.dataset.value = String(value);
  output.textContent = inside ? `${number(value)} ${volume.unit}` : "outside";
  if (inside && volume.suv) layer.suv.textContent = `SUV ${number(value * volume.suv)}`;
}

// One layer's controls.

function layerOf(title, optional) {
  const select = made("select", { ariaLabel: `${title}: which volume` });
  if (optional) select.append(made("option", { value: "", textContent: "nothing" }));
  volumes.forEach((volume, n) => select.append(made("option", { value: String(n), textContent: volume.name })));
  const colours = made("select", { className: "viewer-colours", ariaLabel: `${title}: colours` });
  for (const name of ["gray", "inferno", "hot", "viridis", "jet"]) colours.append(made("option", { textContent: name }));
  const value = made("output", { className: "viewer-value" });
  const suv = made("output", { className: "viewer-suv" });
  const low = made("input", { type: "number", step: "any", className: "viewer-low" });
  const high = made("input", { type: "number", step: "any", className: "viewer-high" });
  const unit = made("span");
  const suvs = made("span", { className: "viewer-suvs" });
  const strip = made("span", { className: "viewer-strip" });
  const frame = made("input", { type: "range", min: "0", step: "1", className: "viewer-frame", ariaLabel: `${title}: frame` });
  const label = made("span", { className: "viewer-frame-label" });
  const frames = made("div", { className: "viewer-line" }, frame, label);
  const note = made("span", { className: "viewer-note" });
  const window = made("div", { className: "viewer-line" },
    made("label", {}, "from", low), strip, made("label", {}, "to", high, unit), suvs, made("label", {}, "colours", colours));
  const element = made("div", { className: "viewer-layer" }, made("strong", { textContent: title }),
    made("div", { className: "viewer-line" }, select, value, suv, note), frames, window);
  find("layers").append(element);
  return { element, select, colours, low, high, unit, suv, suvs, strip, frame, label, frames, window, note, volume: null, shown: null };
}

// The colours from the lowest to the highest value, as NiiVue's own table has them.
function showColours(layer, niivue) {
  const table = niivue.colormap(layer.volume.colormap);
  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map((n) => `rgb(${Array.from(table.slice(4 * n, 4 * n + 3)).join()})`);
  layer.strip.style.background = `linear-gradient(to right, ${stops.join()})`;
}

// What is on top lets faint values shine through, about as in the still pictures: NiiVue makes opacity (value / knee)^2
// below a knee, if the colours begin at 0. Else it is as opaque as the slider says.
const KNEE = 0.42;  // of the window's end
const FROM_LOW = 0;  // niivue.COLORMAP_TYPE
const FROM_ZERO_TRANSLUCENT = 2;

function applyWindow(layer) {
  const [low, high] = layer.volume.shown;
  const isClear = layer === layers[1] && low === 0;
  layer.applied = [isClear ? KNEE * high : low, high];
  layer.shown.colormapType = isClear ? FROM_ZERO_TRANSLUCENT : FROM_LOW;
  [layer.shown.cal_min, layer.shown.cal_max] = layer.applied;
}

function showWindow(layer) {
  const { shown, suv } = layer.volume;
  [layer.low.value, layer.high.value] = shown.map((each) => String(Number(each.toPrecision(4))));
  layer.suvs.textContent = suv ? `SUV ${shown.map((each) => number(each * suv)).join(" to ")}` : "";
}

function describe(layer, niivue) {
  const { volume } = layer;
  for (const part of [layer.frames, layer.window, layer.note]) part.hidden = !volume;
  if (!volume) return;
  layer.unit.textContent = volume.unit;
  layer.note.textContent = volume.notes.join("; ");
  layer.frames.hidden = volume.frames.length < 2;
  layer.frame.max = String(volume.frames.length - 1);
  layer.frame.value = String(volume.frame);
  showWindow(layer);
  layer.colours.value = volume.colormap;
  showColours(layer, niivue);
  nameFrame(layer);
}

function nameFrame(layer) {
  const { frames, frame } = layer.volume;
  layer.label.textContent = `frame ${frame + 1} of ${frames.length}${frames[frame] ? `: ${frames[frame]}` : ""}`;
}

// What is drawn.

async function draw(niivue) {
  const before = niivue.volumes.length ? place(niivue) : null;
  const [below, top] = layers.map((layer) => volumes[Number(layer.select.value || NaN)] || null);
  layers[0].volume = below;
  layers[1].volume = top === below ? null : top;
  if (!layers[1].volume) layers[1].select.value = "";
  while (niivue.volumes.length) niivue.removeVolume(niivue.volumes[niivue.volumes.length - 1]);
  for (const layer of layers) {
    layer.shown = layer.volume ? await loaded(niivue, layer) : null;
    if (layer.shown) applyWindow(layer);
    describe(layer, niivue);
  }
  const fused = Boolean(layers[1].volume);
  find("fusion").hidden = !fused;
  if (fused) {
    [find("under").textContent, find("over").textContent] = layers.map((layer) => layer.volume.name.split(":")[0]);
  }
  niivue.updateGLVolume();
  if (before) goTo(niivue, before);
  showPlace(niivue);
}

// One after the other: loading takes a while, and who chooses again meanwhile must not see both.
function redraw(niivue) {
  root.drawing = Promise.resolve(root.drawing).then(() => draw(niivue)).catch(failed);
}

async function loaded(niivue, layer) {
  const index = volumes.indexOf(layer.volume);
  const isTop = layer === layers[1];
  await niivue.addVolumeFromUrl({
    url: `volume${index}.nii`,
    name: `volume${index}.nii`,
    buffer: await nifti(index),
    colormap: layer.volume.colormap,
    cal_min: layer.volume.shown[0],
    cal_max: layer.volume.shown[1],
    opacity: isTop ? Number(find("opacity").value) : 1,
  });
  const shown = niivue.volumes[niivue.volumes.length - 1];
  shown.frame4D = layer.volume.frame;
  return shown;
}

// What people do.

function look(niivue, view) {
  const types = { axial: 0, coronal: 1, sagittal: 2, planes: 3, all: 3, render: 4 };
  niivue.opts.multiplanarShowRender = view === "all" ? 1 : 0;
  niivue.setSliceType(types[view]);
}

function listen(niivue) {
  find("view").addEventListener("change", (event) => look(niivue, event.target.value));
  find("smooth").addEventListener("change", (event) => niivue.setInterpolation(!event.target.checked));
  find("opacity").addEventListener("input", (event) => {
    if (niivue.volumes.length > 1) niivue.setOpacity(1, Number(event.target.value));
  });
  for (const axis of ["x", "y", "z"]) {
    find(axis).addEventListener("change", () => {
      const lps = ["x", "y", "z"].map((each) => Number(find(each).value));
      if (lps.every(Number.isFinite)) goTo(niivue, lps);
    });
  }
  for (const layer of layers) listenTo(layer, niivue);
  root.querySelector("canvas").addEventListener("contextmenu", (event) => event.preventDefault());
  niivue.onLocationChange = () => showPlace(niivue);
  niivue.onIntensityChange = () => layers.forEach(readWindow);
}

function listenTo(layer, niivue) {
  layer.select.addEventListener("change", () => redraw(niivue));
  layer.frame.addEventListener("input", () => {
    layer.volume.frame = Number(layer.frame.value);
    niivue.setFrame4D(layer.shown.id, layer.volume.frame);
    nameFrame(layer);
    showPlace(niivue);
  });
  layer.colours.addEventListener("change", () => {
    layer.volume.colormap = layer.colours.value;
    niivue.setColormap(layer.shown.id, layer.volume.colormap);
    showColours(layer, niivue);
  });
  for (const input of [layer.low, layer.high]) {
    input.addEventListener("change", () => {
      const window = [Number(layer.low.value), Number(layer.high.value)];
      if (!(window[0] < window[1])) return;
      layer.volume.shown = window;
      showWindow(layer);
      applyWindow(layer);
      niivue.updateGLVolume();
    });
  }
}

function readWindow(layer) {
  if (!layer.shown) return;
  const window = [layer.shown.cal_min, layer.shown.cal_max];
  if (window.every((end, n) => end === layer.applied[n])) return;
  layer.volume.shown = window;
  showWindow(layer);
}

function failed(error) {
  problem(`The viewer cannot be shown: ${error && error.message ? error.message : error}`);
}

async function start() {
  if (!volumes.length) return problem("There is no volume to show.");
  if (!document.createElement("canvas").getContext("webgl2")) {
    return problem("This browser has no WebGL2, which the viewer needs. The pictures of this page show the same volumes.");
  }
  if (typeof DecompressionStream === "undefined") {
    return problem("This browser is too old for the viewer: it lacks DecompressionStream.");
  }
  const Viewer = marked(await library());
  find("body").hidden = false;
  const niivue = new Viewer({
    logLevel: "error",
    loadingText: "",
    dragAndDropEnabled: false,
    isRadiologicalConvention: true,
    isNearestInterpolation: true,
    isOrientationTextVisible: false,
    multiplanarPadPixels: 14,
    show3Dcrosshair: true,
    sagittalNoseLeft: true,
    scrollRequiresFocus: true,
    multiplanarShowRender: 0,
    crosshairWidth: 0.5,
    crosshairColor: [0.3, 0.9, 0.4, 0.8],
    backColor: [0, 0, 0, 1],
  });
  await niivue.attachToCanvas(root.querySelector("canvas"));
  volumes.forEach((volume) => { volume.frame = volume.frames.length - 1; });
  layers.push(layerOf("Below", false), layerOf("On top", true));
  layers[1].element.hidden = volumes.length < 2;
  const emission = volumes.findIndex((volume) => volume.emission);
  const anatomy = volumes.findIndex((volume) => !volume.emission);
  layers[0].select.value = String(Math.max(0, anatomy));
  layers[1].select.value = anatomy >= 0 && emission >= 0 ? String(emission) : "";
  listen(niivue);
  await draw(niivue);
  const start = layers.map(({ volume }) => volume && volume.at).filter(Boolean).pop();  // of what is on top
  if (start) goTo(niivue, start);
  find("message").hidden = true;
  root.niivue = niivue;
  root.dataset.ready = "yes";
  return undefined;
}

start().catch(failed);
