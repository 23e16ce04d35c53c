// The microphone: asking for it, its level, and changing it while a session runs.

import { microphoneProblem, problem } from "./problems.js";

const METER_INTERVAL_MS = 50;
const QUIETEST_DB = -60;

/** Holds one open microphone. Fires `change` when its track is another one, `gone` when it was unplugged. */
export class Microphone extends EventTarget {
  #stream = null;
  #context = null;
  #analyser = null;
  #samples = null;
  #timer = null;
  #muted = false;
  #wanted = "";

  /** The track to send, or null. */
  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.track) this.track.enabled = !muted;
  }

  /** Opens the chosen microphone, the system's default without one. Throws a Problem. */
  async open(deviceId = this.#wanted) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw problem(window.isSecureContext ? "no_webrtc" : "insecure");
    }
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    if (deviceId) audio.deviceId = { exact: deviceId };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      if (error?.name === "OverconstrainedError" && deviceId) return this.open("");
      throw microphoneProblem(error);
    }
    this.#wanted = deviceId;
    this.#replace(stream);
    return this.track;
  }

  /** Lists the microphones; names are known once one was opened. */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all.filter((device) => device.kind === "audioinput" && device.deviceId);
  }

  /** The id of the microphone in use, or an empty text. */
  get deviceId() {
    return this.track?.getSettings().deviceId ?? "";
  }

  /** Calls back with the level, 0 to 1, some twenty times a second until closed. */
  watch(onLevel) {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => onLevel(this.#level()), METER_INTERVAL_MS);
  }

  /** Lets the microphone go. */
  close() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stop(this.#stream);
    this.#stream = null;
    this.#analyser = null;
    this.#context?.close().catch(() => {});
    this.#context = null;
  }

  #replace(stream) {
    const before = this.#stream;
    this.#stream = stream;
    this.track.enabled = !this.#muted;
    this.track.addEventListener("ended", () => {
      if (this.#stream === stream) this.dispatchEvent(new Event("gone"));
    });
    this.#listen(stream);
    this.#stop(before);
    this.dispatchEvent(new Event("change"));
  }

  #listen(stream) {
    this.#context ??= new AudioContext();
    this.#context.resume().catch(() => {});
    this.#analyser?.disconnect();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  #level() {
    if (!this.#analyser || this.#muted) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-12);
    return Math.min(1, Math.max(0, 1 - decibels / QUIETEST_DB));
  }

  #stop(stream) {
    for (const track of stream?.getTracks() ?? []) track.stop();
  }
}
