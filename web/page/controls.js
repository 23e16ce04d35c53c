// Emotion, intensity and mouth: what the face does beside speaking.

import { byId, icon, make, throttle } from "./dom.js";

const EMOTIONS = ["neutral", "happy", "surprised", "sad", "angry", "disgusted", "fear", "contempt"];
const NAMES = { fear: "Afraid", contempt: "Scornful" };
const SEND_EVERY_MS = 120;

/** Fires `style` ({emotion, intensity}, or {emotion} alone where it is in words of the user's own) `voiceleads` (a truth) and
 *  `mouthgain` (a number) as they are changed. */
export class Controls extends EventTarget {
  #emotion = "neutral";
  #words = "";

  constructor() {
    super();
    byId("emotions").replaceChildren(...EMOTIONS.map((emotion) => this.#choice(emotion)));
    const style = throttle(() => this.#fire("style", this.style), SEND_EVERY_MS);
    const mouthGain = throttle(() => this.#fire("mouthgain", this.mouthGain), SEND_EVERY_MS);
    byId("emotions").addEventListener("change", (event) => {
      this.#choose(event.target.value);
      byId("feeling-words").value = "";
      style();
    });
    byId("voice-leads").addEventListener("change", () => this.#fire("voiceleads", this.voiceLeads));
    const takeWords = () => {
      const words = byId("feeling-words").value.trim();
      if (words === this.#words) return;
      this.#words = words;
      this.#write();
      style();
    };
    byId("feeling-words").addEventListener("change", takeWords);
    byId("feeling").addEventListener("submit", (event) => {
      event.preventDefault();
      takeWords();
    });
    byId("intensity").addEventListener("input", () => {
      this.#write();
      style();
    });
    byId("mouth-gain").addEventListener("input", () => {
      this.#write();
      mouthGain();
    });
    this.#write();
  }

  get style() {
    if (this.#words) return { emotion: this.#words };
    return { emotion: this.#emotion, intensity: Number(byId("intensity").value) };
  }

  get voiceLeads() {
    return byId("voice-leads").checked;
  }

  get mouthGain() {
    return Number(byId("mouth-gain").value);
  }

  #choice(emotion) {
    const input = make("input", { type: "radio", name: "emotion", value: emotion });
    input.defaultChecked = emotion === this.#emotion;
    const name = NAMES[emotion] ?? emotion[0].toUpperCase() + emotion.slice(1);
    return make("label", {}, input, make("span", { className: "chip" }, icon(emotion), name));
  }

  #choose(emotion) {
    this.#emotion = emotion;
    this.#words = "";
    this.#write();
  }

  #write() {
    byId("intensity").disabled = this.#words !== "";
    byId("intensity-value").textContent = this.#words ? "as said" : this.style.intensity.toFixed(1);
    for (const choice of byId("emotions").querySelectorAll("input")) {
      choice.checked = !this.#words && choice.value === this.#emotion;
    }
    byId("mouth-gain-value").textContent = `${Math.round(100 * this.mouthGain)} %`;
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
