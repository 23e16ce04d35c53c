// The portraits: choosing one, uploading a photo, choosing a face in it.

import { announce, byId, icon, make } from "./dom.js";
import { Problem, problem, serverProblem } from "./problems.js";

const DOUBTS = new Set(["face_covered", "eyes_closed"]); // refusals that may be mistaken
const KEPT = "mien.uploads"; // ids of this tab's uploads, so that a reload finds them again

/** Fires `choose` with the portrait as detail whenever another one is chosen. */
export class Picker extends EventTarget {
  #portraits = [];
  #chosen = null;
  #limit = Infinity;
  #busy = false;
  #next = null; // the latest photo given while another is being prepared

  constructor() {
    super();
    byId("file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.upload(file);
    });
    this.#acceptDrops(byId("drop"));
    this.#acceptDrops(byId("stage"));
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
      if (file) this.upload(file);
    });
  }

  /** The chosen portrait: id, name, credit, builtin, picture. */
  get chosen() {
    return this.#chosen;
  }

  /** Fetches the list; keeps the choice if it is still there, else chooses the first. Throws a Problem. */
  async load(uploadLimit) {
    this.#limit = uploadLimit;
    const { portraits } = await fetchJson("v1/portraits");
    this.#portraits = [...portraits, ...(await keptUploads())];
    this.#draw();
    this.choose(this.#portraits.find((portrait) => portrait.id === this.#chosen?.id) ?? this.#portraits[0]);
  }

  choose(portrait) {
    if (!portrait) return;
    this.#chosen = portrait;
    const input = byId("portraits").querySelector(`input[value="${CSS.escape(portrait.id)}"]`);
    if (input) input.checked = true;
    byId("portrait-credit").textContent = portrait.credit ?? "";
    this.dispatchEvent(new CustomEvent("choose", { detail: portrait }));
  }

  /** Turns a photo into a portrait on the server and chooses it. Shows its own errors. */
  async upload(file, anyway = false) {
    if (this.#busy) {
      this.#next = file;
      return;
    }
    this.#busy = true;
    const preview = URL.createObjectURL(file);
    try {
      if (file.size > this.#limit) throw problem("picture_too_large");
      showUpload("busy", preview, make("p", {}, make("strong", {}, "Preparing the portrait…"), "It takes a second or two."));
      announce("Preparing the portrait.");
      const portrait = await this.#prepare(file, anyway);
      if (portrait === null) {
        hideUpload();
        return;
      }
      this.#portraits.push(portrait);
      keepUploads(this.#portraits);
      this.#draw();
      this.choose(portrait);
      hideUpload();
      announce("The portrait is ready.");
    } catch (error) {
      this.#showError(error, preview, file);
    } finally {
      this.#busy = false;
      const next = this.#next;
      this.#next = null;
      if (next) this.upload(next);
      setTimeout(() => URL.revokeObjectURL(preview), 60_000);
    }
  }

  /** Posts the photo, asking which face where there are several. Returns null if that was cancelled. */
  async #prepare(file, anyway) {
    try {
      return await post(file, null, anyway);
    } catch (error) {
      if (error.code !== "several_faces" || !error.details.boxes?.length) throw error;
      const face = await chooseFace(error.details);
      return face === null ? null : post(file, face, anyway);
    }
  }

  #showError(error, preview, file) {
    const shown = error instanceof Problem ? error : problem("server_gone");
    const text = make("p", {}, make("strong", {}, shown.title), shown.remedy);
    const image = error?.code === "not_a_picture" ? null : preview;
    const close = make("button", { type: "button", className: "button", textContent: "OK" });
    close.addEventListener("click", hideUpload);
    const insist = make("button", { type: "button", className: "button", textContent: "Use it anyway" });
    insist.addEventListener("click", () => this.upload(file, true));
    showUpload("error", image, text, ...(DOUBTS.has(shown.code) ? [insist, close] : [close]));
    announce(`${shown.title} ${shown.remedy}`);
  }

  #draw() {
    const tiles = this.#portraits.map((portrait) => this.#tile(portrait));
    const add = make("button", { type: "button", className: "add", id: "upload", "aria-label": "Upload a photo" }, icon("upload"));
    add.addEventListener("click", () => byId("file").click());
    const addTile = make("div", { className: "tile" }, add, make("span", { className: "name", "aria-hidden": "true" }, "Your photo"));
    byId("portraits").replaceChildren(...tiles, addTile);
    const input = this.#chosen && byId("portraits").querySelector(`input[value="${CSS.escape(this.#chosen.id)}"]`);
    if (input) input.checked = true;
  }

  #tile(portrait) {
    const input = make("input", { type: "radio", name: "portrait", value: portrait.id, "aria-label": portrait.name });
    input.addEventListener("change", () => this.choose(portrait));
    const image = make("img", { src: portrait.picture, alt: "", width: 88, height: 88, loading: "lazy" });
    const name = make("span", { className: "name", title: portrait.name }, portrait.name);
    const tile = make("div", { className: "tile" }, make("label", {}, input, image, name));
    if (portrait.id.startsWith("upload-")) tile.append(this.#forgetButton(portrait));
    return tile;
  }

  #forgetButton(portrait) {
    const label = `Forget ${portrait.name}`;
    const button = make("button", { type: "button", className: "forget", "aria-label": label, title: label }, "×");
    button.addEventListener("click", () => this.#forget(portrait));
    return button;
  }

  #forget(portrait) {
    fetch(`v1/portraits/${encodeURIComponent(portrait.id)}`, { method: "DELETE" }).catch(() => {});
    this.#portraits = this.#portraits.filter((other) => other !== portrait);
    keepUploads(this.#portraits);
    this.#draw();
    if (this.#chosen === portrait) this.choose(this.#portraits[0]);
    announce("The photo is forgotten.");
    byId("upload").focus();
  }

  #acceptDrops(area) {
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      byId("drop").classList.add("over");
    });
    area.addEventListener("dragleave", () => byId("drop").classList.remove("over"));
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      byId("drop").classList.remove("over");
      const [file] = event.dataTransfer.files;
      if (file) this.upload(file);
    });
  }
}

/** Fetches JSON from the server; its errors and its absence become Problems. */
export async function fetchJson(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw problem("server_gone");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw serverProblem(body.error ?? {});
  return body;
}

async function post(file, face, anyway) {
  const query = new URLSearchParams();
  if (face !== null) query.set("face", face);
  if (anyway) query.set("anyway", "true");
  const address = `v1/portraits?${query}`;
  const headers = { "Content-Type": file.type.startsWith("image/") ? file.type : "application/octet-stream" };
  const { portrait } = await fetchJson(address, { method: "POST", body: file, headers });
  return portrait;
}

function showUpload(kind, image, ...content) {
  const state = byId("upload-state");
  state.dataset.kind = kind;
  const picture = image ? [make("img", { src: image, alt: "" })] : [];
  picture[0]?.addEventListener("error", () => picture[0].remove()); // a kind of photo that the server reads and browsers do not
  state.replaceChildren(...picture, ...content);
  state.hidden = false;
}

function hideUpload() {
  byId("upload-state").hidden = true;
}

/**
 * Shows the photo with a button on every face. Resolves to the face's index, or null.
 * The picture comes from the server: a browser may not show the photo itself, or not the way up that the boxes mean.
 */
function chooseFace({ boxes, picture: [width, height], preview }) {
  const dialog = byId("chooser");
  const image = byId("chooser-image");
  const holder = byId("chooser-photo");
  return new Promise((resolve) => {
    const finish = (face) => {
      dialog.removeEventListener("close", onClose);
      if (dialog.open) dialog.close();
      holder.querySelectorAll("button").forEach((button) => button.remove());
      resolve(face);
    };
    const onClose = () => finish(null);
    dialog.addEventListener("close", onClose);
    byId("chooser-cancel").onclick = onClose;
    image.onload = () => {
      boxes.forEach((box, face) => holder.append(faceButton(box, face, boxes.length, width, height, finish)));
      holder.querySelector("button")?.focus();
    };
    image.src = preview;
    dialog.showModal();
  });
}

function faceButton([left, top, right, bottom], face, count, width, height, finish) {
  const button = make("button", { type: "button", "aria-label": `Face ${face + 1} of ${count}` });
  button.style.left = `${(100 * left) / width}%`;
  button.style.top = `${(100 * top) / height}%`;
  button.style.width = `${(100 * (right - left)) / width}%`;
  button.style.height = `${(100 * (bottom - top)) / height}%`;
  button.addEventListener("click", () => finish(face));
  return button;
}

function keepUploads(portraits) {
  const uploads = portraits.filter((portrait) => portrait.id.startsWith("upload-"));
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(uploads));
  } catch {
    // storage is switched off: a reload forgets the uploads, nothing worse
  }
}

/** Returns this tab's uploads that the server still has. */
async function keptUploads() {
  let kept = [];
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  } catch {
    return [];
  }
  const alive = await Promise.all(
    kept.map((portrait) =>
      fetch(portrait.picture).then((response) => response.ok, () => false),
    ),
  );
  return kept.filter((_, index) => alive[index]);
}
