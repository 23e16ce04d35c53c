// Run npm's @met4citizen/headaudio on recordings, as it runs in a page, without a page.
//
//   node headaudio_visemes.mjs PACKAGE SOUNDS.f32 LENGTHS.json VISEMES.f32
//
// SOUNDS: float32 at 48 kHz, one recording after another, LENGTHS samples each. VISEMES: float32[frames, 15],
// the values its `onvalue` gives at the end of every 40 ms, in the order of its visemeNames.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const RATE = 48000, BLOCK = 128, FRAME = RATE / 25;
const [folder, soundsPath, lengthsPath, outPath] = process.argv.slice(2);

// What a browser has and its main class extends; messages go straight from the processor to the node.
globalThis.AudioWorkletNode = class { port = { postMessage() {} }; };
const load = (name) => import(pathToFileURL(join(folder, "modules", name)));
const { HeadAudio } = await load("headaudio.mjs");
const { Processor } = await load("processor.mjs");
const { Training } = await load("training.mjs");

const model = readFileSync(join(folder, "dist/model-en-mixed.bin"));
const url = `data:application/octet-stream;base64,${model.toString("base64")}`;
const prototypes = (await new Training().loadModel(url)).model;

const bytes = readFileSync(soundsPath);
const sounds = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const rows = [];
let start = 0;
for (const length of JSON.parse(readFileSync(lengthsPath, "utf8"))) {
  const node = new HeadAudio(null);
  const values = new Array(node.nVisemes).fill(0);
  node.onvalue = (name, value) => { values[node.visemeNames.indexOf(name)] = value; };
  const worklet = { port: { onmessage: null, postMessage: (data) => node._onmessage({ data }) } };
  const processor = new Processor({ sampleRate: RATE }, worklet);
  processor._onmessage({ data: { event: "model", model: prototypes } });
  const frames = Math.floor(length / FRAME);
  for (let at = 0; at < frames * FRAME; at += BLOCK) {
    processor.process(sounds.subarray(start + at, start + at + BLOCK));
    node.update((1000 * BLOCK) / RATE);
    if ((at + BLOCK) % FRAME === 0) rows.push(Float32Array.from(values));
  }
  start += length;
}
const out = new Float32Array(rows.length * 15);
rows.forEach((row, index) => out.set(row, index * 15));
writeFileSync(outPath, Buffer.from(out.buffer));
