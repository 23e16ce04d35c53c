// The page: puts the parts together and keeps one state, idle -> connecting -> live -> idle.

import { Controls } from "./controls.js";
import { announce, byId, make, setIcon } from "./dom.js";
import { Figures } from "./figures.js";
import { Microphone } from "./microphone.js";
import { Picker, fetchJson } from "./picker.js";
import { Problem, problem, serverProblem } from "./problems.js";
import { Session } from "./session.js";

const FIRST_PICTURE_WITHIN_MS = 6000;
const BADGES = { idle: "Ready", connecting: "Connecting…", live: "Live", unsteady: "Unsteady network…" };

const stage = byId("stage");
const theatre = stage.parentElement;
const video = byId("video");
const controls = new Controls();
const figures = new Figures(video);
const microphone = new Microphone();
const picker = new Picker();

let session = null;
let attempt = 0; // counts starts, so that a slow one that was stopped ends quietly
let mode = "mirror";
let canSpeak = true;
let speaking = false;
let retryTimer = null;
let noticeCode = null;
let slow = false;
let leaving = Promise.resolve(); // until the server has taken back the place of the session before
let unsaid = null; // a text to say with the first picture
const soundOn = { mirror: false, say: true }; // hearing oneself late is irritating: off until asked for

// Session

async function start() {
  hideNotice();
  const mine = ++attempt;
  show("connecting");
  let track = null;
  try {
    if (mode === "mirror") track = await openMicrophone();
  } catch (error) {
    if (mine === attempt) finish(error);
    return;
  }
  await leaving;
  if (mine !== attempt) {
    if (stage.dataset.state === "idle") microphone.close();
    return;
  }
  session = new Session();
  follow(session);
  session.open(track, {
    portrait: picker.chosen?.id ?? "",
    mode,
    ...controls.style,
    mouth_gain: controls.mouthGain,
  });
}

function stop() {
  attempt++;
  if (session) leaving = session.close();
  else finish(null);
}

function follow(live) {
  live.addEventListener("live", ({ detail }) => beginShowing(live, detail));
  live.addEventListener("unsteady", () => show("unsteady"));
  live.addEventListener("steady", () => show("live"));
  live.addEventListener("stats", ({ detail }) => figures.tell(detail));
  live.addEventListener("speech", ({ detail }) => setSpeaking(detail === "started"));
  live.addEventListener("trouble", ({ detail }) => showNotice(detail));
  live.addEventListener("ended", ({ detail }) => {
    if (session === live) finish(detail);
  });
}

/** Goes back to idle; with a problem, says which and what to do. */
function finish(reason) {
  session = null;
  unsaid = null;
  slow = false;
  figures.stop();
  microphone.close();
  setSpeaking(false);
  setLevel(0);
  video.srcObject = null;
  stage.dataset.picture = "still";
  show("idle");
  if (reason) showNotice(reason instanceof Problem ? reason : problem("server_gone"));
}

async function beginShowing(live, stream) {
  video.srcObject = stream;
  figures.start(live.peer);
  const timer = setTimeout(() => {
    if (session === live && stage.dataset.picture !== "video") showNotice(problem("no_picture"));
  }, FIRST_PICTURE_WITHIN_MS);
  onFirstFrame(() => {
    clearTimeout(timer);
    if (session !== live) return;
    if (noticeCode === "no_picture") hideNotice();
    stage.dataset.picture = "video";
    show("live");
    if (controls.voiceLeads) live.setVoiceLeads(true);
    if (unsaid !== null) live.say(unsaid);
    unsaid = null;
  });
  await play();
}

/** Plays with sound if the browser lets us; without it otherwise, and says how to get it. */
async function play() {
  video.muted = !soundOn[mode];
  try {
    await video.play();
  } catch (error) {
    if (error.name !== "NotAllowedError" || video.muted) return; // AbortError: stopped in the meantime
    video.muted = true;
    await video.play().catch(() => {});
    showNotice(problem("autoplay_blocked"));
  }
}

function onFirstFrame(action) {
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(action);
  else video.addEventListener("timeupdate", action, { once: true });
}

// Microphone

async function openMicrophone() {
  const track = await microphone.open();
  microphone.watch(setLevel);
  listDevices();
  return track;
}

async function listDevices() {
  const devices = await microphone.devices();
  const options = devices.map((device, index) =>
    make("option", { value: device.deviceId, textContent: device.label || `Microphone ${index + 1}` }),
  );
  byId("device").replaceChildren(...options);
  byId("device").value = microphone.deviceId;
  byId("device-field").hidden = devices.length < 2;
}

async function changeMicrophone(deviceId) {
  try {
    await microphone.open(deviceId);
    await session?.setTrack(microphone.track);
    listDevices();
    announce("The microphone was changed.");
  } catch (error) {
    showNotice(error);
  }
}

microphone.addEventListener("gone", async () => {
  if (!session) return;
  try {
    await microphone.open("");
    await session?.setTrack(microphone.track);
    listDevices();
  } catch {
    showNotice(problem("microphone_gone"));
  }
});

navigator.mediaDevices?.addEventListener?.("devicechange", async () => {
  if (!session || mode !== "mirror") return;
  if (microphone.track?.readyState === "live") listDevices();
  else await changeMicrophone("");
});

function setLevel(level) {
  byId("meter-fill").style.transform = `scaleX(${level.toFixed(3)})`;
  byId("meter").dataset.loud = level > 0.97;
  byId("meter").setAttribute("aria-valuenow", 10 * Math.round(10 * level)); // coarse: it is read aloud
}

function setMuted(muted) {
  microphone.muted = muted;
  const button = byId("mute");
  button.setAttribute("aria-pressed", muted);
  setIcon(button, muted ? "microphone-off" : "microphone");
  announce(muted ? "Microphone muted." : "Microphone on.");
}

function setSound(on) {
  soundOn[mode] = on;
  if (session) video.muted = !on;
  drawSound();
  announce(on ? "Sound on." : "Sound off.");
  if (on && noticeCode === "autoplay_blocked") hideNotice();
}

function drawSound() {
  byId("sound").setAttribute("aria-pressed", soundOn[mode]);
  setIcon(byId("sound"), soundOn[mode] ? "sound" : "sound-off");
}

// Mode

async function setMode(next) {
  mode = next;
  theatre.dataset.mode = mode;
  byId("mode").querySelector(`input[value="${mode}"]`).checked = true;
  byId("mirror-pane").hidden = mode !== "mirror";
  byId("say-pane").hidden = mode !== "say";
  drawSound();
  drawHint();
  if (!session) return;
  video.muted = !soundOn[mode];
  if (mode === "say") await leaveMicrophone();
  else await takeMicrophone();
}

async function leaveMicrophone() {
  session.setMode("say");
  await session.setTrack(null);
  microphone.close();
  setLevel(0);
  show(stage.dataset.state);
}

async function takeMicrophone() {
  const live = session;
  try {
    const track = await openMicrophone();
    if (session !== live) return;
    await live.setTrack(track);
    live.setMode("mirror");
    show(stage.dataset.state);
  } catch (error) {
    await setMode("say");
    showNotice(error);
  }
}

// Saying

function say(event) {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text) {
    byId("text").focus();
    return;
  }
  if (session && stage.dataset.picture === "video") {
    session.say(text);
    return;
  }
  unsaid = text;
  if (stage.dataset.state === "idle") start();
}

function setSpeaking(now) {
  speaking = now;
  byId("interrupt").disabled = !speaking;
  drawHint();
}

function countText() {
  const { value, maxLength } = byId("text");
  byId("count").textContent = value.length > maxLength / 2 ? `${value.length} of ${maxLength}` : "";
}

// What the page shows

function show(state) {
  const before = stage.dataset.state;
  stage.dataset.state = state;
  byId("badge-text").textContent = BADGES[state];
  const button = byId("start");
  const action = state === "idle" ? "start" : "stop";
  button.dataset.action = action;
  button.lastElementChild.textContent = { idle: "Start", connecting: "Cancel" }[state] ?? "Stop";
  setIcon(button, action === "start" ? "play" : "stop");
  byId("mute").disabled = !microphone.track;
  drawHint();
  if (state !== before) announce({ idle: "Stopped.", live: "Live: the portrait is speaking with you." }[state] ?? BADGES[state]);
}

function drawHint() {
  const live = stage.dataset.state === "live";
  let hint = "";
  if (mode === "mirror") hint = live ? "Speak: the portrait says it with you." : "Press Start and speak.";
  else if (speaking) hint = "Speaking…";
  else hint = live ? "Write something and press Say." : "Write something, then press Say.";
  if (live && slow) hint = "The picture falters: the server, the network or this device is busy.";
  else if (mode === "mirror" && live && microphone.muted) hint = "The microphone is muted.";
  byId("hint").textContent = hint;
}

function showNotice(reason) {
  clearInterval(retryTimer);
  noticeCode = reason.code;
  byId("notice-title").textContent = reason.title;
  byId("notice-text").textContent = reason.remedy;
  const [first, second] = actionsFor(reason);
  setAction(byId("notice-first"), first);
  setAction(byId("notice-second"), second);
  byId("notice").hidden = false;
  byId("notice-first").focus({ preventScroll: true });
  if (reason.code === "server_full") countDown(reason.details.retry_after_s);
}

function hideNotice() {
  clearInterval(retryTimer);
  noticeCode = null;
  if (byId("notice").hidden) return;
  byId("notice").hidden = true;
  byId("start").focus({ preventScroll: true });
}

/** Says what can be done about a problem: two buttons at most. */
function actionsFor({ code }) {
  const dismiss = ["Close", hideNotice];
  const useText = ["Use text instead", () => { hideNotice(); setMode("say"); byId("text").focus(); }];
  if (session) {
    if (code === "autoplay_blocked") return [["Turn the sound on", () => setSound(true)], dismiss];
    return [["OK", hideNotice], null];
  }
  switch (code) {
    case "insecure":
    case "no_microphone":
    case "microphone_refused":
    case "microphone_busy":
      return canSpeak ? [["Try again", start], useText] : [["Try again", start], dismiss];
    case "server_gone":
    case "connection_lost":
      return [["Connect again", reconnect], dismiss];
    case "unknown_portrait":
      return [["OK", () => { hideNotice(); load(); }], null];
    default:
      return [["Try again", start], dismiss];
  }
}

function setAction(button, action) {
  button.hidden = !action;
  if (!action) return;
  button.textContent = action[0];
  button.onclick = action[1];
}

/** Counts the seconds until a full server is worth another try, then tries. */
function countDown(seconds) {
  let left = Math.max(1, Math.round(Number(seconds) || 5));
  const button = byId("notice-first");
  button.textContent = `Try again (${left})`;
  retryTimer = setInterval(() => {
    left--;
    button.textContent = `Try again (${left})`;
    if (left <= 0) start();
  }, 1000);
}

async function reconnect() {
  hideNotice();
  if (await load()) start();
}

function showStill(portrait) {
  const still = byId("still");
  still.src = portrait.picture;
  still.alt = portrait.name;
  if (session) restart(); // one that is just starting asks for the chosen portrait by itself
}

/** A session keeps its portrait: another one takes another session. */
async function restart() {
  const mine = ++attempt;
  const before = session;
  session = null;
  show("connecting");
  stage.dataset.picture = "still";
  leaving = before.close();
  await leaving;
  if (mine === attempt) start();
}

/** Asks the server what it has. Returns whether it answered. */
async function load() {
  try {
    const health = await fetchJson("v1/health");
    canSpeak = health.speech;
    const [width, height] = health.limits.size;
    document.documentElement.style.setProperty("--shape", String(width / height));
    byId("version").textContent = `mien ${health.version}`;
    byId("text").maxLength = health.limits.text_characters;
    byId("say").disabled = !canSpeak;
    byId("say-note").textContent = canSpeak
      ? ""
      : "This server has no voice. Its owner can add one with: pip install 'mien[tts]'";
    await picker.load(health.limits.upload_bytes);
    return true;
  } catch (error) {
    showNotice(error instanceof Problem ? error : serverProblem({}));
    return false;
  }
}

byId("start").addEventListener("click", () => (stage.dataset.state === "idle" ? start() : stop()));
byId("mute").addEventListener("click", () => { setMuted(!microphone.muted); drawHint(); });
byId("sound").addEventListener("click", () => setSound(!soundOn[mode]));
byId("mode").addEventListener("change", (event) => setMode(event.target.value));
byId("say-pane").addEventListener("submit", say);
byId("interrupt").addEventListener("click", () => session?.interrupt());
byId("text").addEventListener("input", countText);
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) say(event);
});
byId("device").addEventListener("change", (event) => changeMicrophone(event.target.value));
controls.addEventListener("style", ({ detail }) => session?.setStyle(detail));
controls.addEventListener("voiceleads", ({ detail }) => session?.setVoiceLeads(detail));
controls.addEventListener("mouthgain", ({ detail }) => session?.setMouthGain(detail));
figures.addEventListener("pace", ({ detail }) => {
  if (slow === (detail === "slow")) return;
  slow = !slow;
  drawHint();
});
picker.addEventListener("choose", ({ detail }) => showStill(detail));
window.addEventListener("pagehide", stop);

setMode(byId("mode").querySelector("input:checked")?.value ?? "mirror");
show("idle");
load();
