// The panel of live figures: what the browser sees, and what the server tells.

import { byId, make } from "./dom.js";

const PART_NAMES = {
  jitter_buffer: "Jitter buffer",
  frame_wait: "Frame wait",
  look_ahead: "Look-ahead",
  perform: "Motion",
  draw: "Drawing",
  encode: "Encoding",
  hand_over: "Hand-over",
  convert: "Conversion",
  send: "Sending",
};

const SLOW_FPS = 15;
const SLOW_FOR_S = 4;

/** Collects and shows figures while a session runs. Fires `pace` with "slow" or "good" as detail. */
export class Figures extends EventTarget {
  #video;
  #peer = null;
  #timer = null;
  #shown = 0;
  #shownThen = 0;
  #then = 0;
  #bytesThen = 0;
  #server = null;
  #watch = 0;
  #slowFor = 0;

  constructor(video) {
    super();
    this.#video = video;
  }

  start(peer) {
    this.stop();
    this.#peer = peer;
    this.#server = null;
    this.#slowFor = 0;
    this.#shown = this.#shownThen = this.#bytesThen = 0;
    this.#then = performance.now();
    this.#timer = setInterval(() => this.#refresh(), 1000);
    this.#count(++this.#watch);
  }

  /** Takes in the server's stats message. */
  tell(message) {
    this.#server = message;
  }

  stop() {
    clearInterval(this.#timer);
    this.#watch++;
    this.#peer = null;
    for (const id of ["fps", "delay-50", "delay-95", "offset", "dropped", "network"]) put(id, "–");
    byId("figures-brief").textContent = "";
    byId("parts").hidden = true;
  }

  #count(watch) {
    if (!this.#video.requestVideoFrameCallback) return;
    this.#video.requestVideoFrameCallback(() => {
      if (watch !== this.#watch) return;
      this.#shown++;
      this.#count(watch);
    });
  }

  async #refresh() {
    const peer = this.#peer;
    const report = peer ? readReport(await peer.getStats()) : null;
    if (!report || peer !== this.#peer) return;
    const now = performance.now();
    const seconds = (now - this.#then) / 1000;
    const counted = Boolean(this.#video.requestVideoFrameCallback);
    const fps = counted ? (this.#shown - this.#shownThen) / seconds : report.video.framesPerSecond;
    const rate = (8 * (report.bytes - this.#bytesThen)) / seconds / 1000;
    this.#then = now;
    this.#shownThen = this.#shown;
    this.#bytesThen = report.bytes;
    this.#show(report, fps, rate);
    this.#judge(fps);
  }

  #judge(fps) {
    if (document.hidden || !Number.isFinite(fps)) return; // a hidden page draws nothing
    this.#slowFor = fps < SLOW_FPS ? this.#slowFor + 1 : 0;
    const pace = this.#slowFor >= SLOW_FOR_S ? "slow" : "good";
    this.dispatchEvent(new CustomEvent("pace", { detail: pace }));
  }

  #show(report, fps, rate) {
    const delay = this.#server?.sound_to_picture_ms ?? {};
    put("fps", number(fps, 1));
    put("delay-50", milliseconds(delay.p50));
    put("delay-95", milliseconds(delay.p95));
    this.#showOffset(report);
    const dropped = (report.video.framesDropped ?? 0) + (this.#server?.frames_dropped ?? 0);
    put("dropped", `${dropped}`);
    put("network", `${number(rate, 0)} kbit/s${report.roundTrip === undefined ? "" : `, ${number(1000 * report.roundTrip, 0)} ms`}`);
    byId("figures-brief").textContent = `${number(fps, 0)} FPS · ${milliseconds(delay.p50)}`;
    showParts(delay.parts);
  }

  /** Says how far the picture runs ahead of the sound here, or as sent where the browser cannot tell. */
  #showOffset(report) {
    const picture = report.video.estimatedPlayoutTimestamp;
    const sound = report.audio.estimatedPlayoutTimestamp;
    const here = picture > 0 && sound > 0 && !this.#video.muted;
    put("offset", milliseconds(here ? picture - sound : this.#server?.av_offset_ms));
    byId("f-offset-name").textContent = here ? "A/V offset, here" : "A/V offset, as sent";
  }
}

function readReport(stats) {
  const found = { video: {}, audio: {}, bytes: 0, roundTrip: undefined };
  for (const entry of stats.values()) {
    if (entry.type === "inbound-rtp") {
      found[entry.kind] = entry;
      found.bytes += entry.bytesReceived ?? 0;
    } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
      found.roundTrip = entry.currentRoundTripTime;
    }
  }
  return found;
}

function showParts(parts) {
  const known = Object.entries(parts ?? {}).filter(([, value]) => Number.isFinite(value));
  byId("parts").hidden = known.length === 0;
  const bar = [];
  const list = [];
  known.forEach(([name, value], index) => {
    const piece = make("span", { className: `part-${index % 8}` });
    piece.style.flexGrow = Math.max(value, 0);
    bar.push(piece);
    list.push(
      make("li", { className: `part-${index % 8}` }, PART_NAMES[name] ?? name.replaceAll("_", " "), make("b", {}, number(value, 1))),
    );
  });
  byId("parts-bar").replaceChildren(...bar);
  byId("parts-list").replaceChildren(...list);
}

function put(id, text) {
  byId(`f-${id}`).textContent = text;
}

function number(value, digits) {
  if (!Number.isFinite(value)) return "–";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

function milliseconds(value) {
  return Number.isFinite(value) ? `${number(value, 0)} ms` : "–";
}
