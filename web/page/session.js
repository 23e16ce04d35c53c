// One live session: the signalling socket and the peer connection behind one object.

import { problem, serverProblem } from "./problems.js";

const GATHER_WITHIN_MS = 2000;
const CONNECT_WITHIN_MS = 12000;
const LEAVE_WITHIN_MS = 3000;

/** Says where the socket is, also behind a path prefix. */
function socketAddress() {
  const address = new URL("v1/session", document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address;
}

/**
 * Connects once and ends once. Fires
 *   `live`    the connection stands; detail: the MediaStream
 *   `unsteady`, `steady`  the network falters and comes back
 *   `stats`   the server's figures; detail: the message
 *   `speech`  detail: "started" or "finished"
 *   `trouble` a mistake that ends nothing; detail: a Problem
 *   `ended`   detail: a Problem, or null when the page asked for it
 */
export class Session extends EventTarget {
  #socket = null;
  #peer = null;
  #sender = null;
  #over = false;
  #connected = false;
  #timer = null;
  #stream = new MediaStream();

  /** The peer connection, for its figures. */
  get peer() {
    return this.#peer;
  }

  /** Opens the session. `track` is the microphone's, or null. Returns at once; events say the rest. */
  open(track, settings) {
    this.#open(track, settings).catch((error) => {
      console.warn("mien: the session could not be opened:", error);
      this.#end(problem("no_webrtc"));
    });
  }

  say(text) {
    this.#send({ type: "say", text });
  }

  interrupt() {
    this.#send({ type: "interrupt" });
  }

  setStyle(style) {
    this.#send({ type: "style", ...style });
  }

  setVoiceLeads(value) {
    this.#send({ type: "voice_leads", value });
  }

  setMouthGain(value) {
    this.#send({ type: "mouth_gain", value });
  }

  setMode(mode) {
    this.#send({ type: "mode", mode });
  }

  /** Sends another microphone, or none with null. */
  async setTrack(track) {
    await this.#sender?.replaceTrack(track);
  }

  /** Ends the session. Resolves once the server has given its place to others, or does not say so. */
  close() {
    const left = this.#socket ? closed(this.#socket) : Promise.resolve();
    this.#send({ type: "bye" });
    this.#end(null);
    return left;
  }

  async #open(track, settings) {
    if (!("RTCPeerConnection" in window)) {
      this.#end(problem("no_webrtc"));
      return;
    }
    this.#timer = setTimeout(() => this.#end(this.#whyNotConnected()), CONNECT_WITHIN_MS);
    const peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.#peer = peer;
    peer.addEventListener("track", (event) => this.#receive(event));
    peer.addEventListener("connectionstatechange", () => this.#follow(peer.connectionState));
    const streams = track ? [new MediaStream([track])] : [];
    // Both ways even without a microphone, so that one can be put in later with no new offer.
    this.#sender = peer.addTransceiver(track ?? "audio", { direction: "sendrecv", streams }).sender;
    peer.addTransceiver("video", { direction: "recvonly" });
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    if (this.#over) return;
    this.#connect({ type: "offer", sdp: peer.localDescription.sdp, ...settings });
  }

  #connect(offer) {
    const socket = new WebSocket(socketAddress());
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify(offer)));
    socket.addEventListener("message", (event) => this.#hear(JSON.parse(event.data)));
    socket.addEventListener("close", () => this.#end(problem(this.#connected ? "connection_lost" : "server_gone")));
  }

  #hear(message) {
    switch (message.type) {
      case "answer":
        this.#peer
          .setRemoteDescription({ type: "answer", sdp: message.sdp })
          .catch((error) => {
            console.warn("mien: the answer was refused:", error);
            this.#end(problem("no_webrtc"));
          });
        break;
      case "stats":
        this.#fire("stats", message);
        break;
      case "speech":
        this.#fire("speech", message.state);
        break;
      case "error":
        if (this.#peer.remoteDescription) this.#fire("trouble", serverProblem(message));
        else this.#end(serverProblem(message));
        break;
      default: // a newer server says more than this page knows
    }
  }

  #receive(event) {
    lowerDelay(event.receiver);
    this.#stream.addTrack(event.track);
  }

  #follow(state) {
    if (this.#over) return;
    if (state === "connected") {
      clearTimeout(this.#timer);
      this.#fire(this.#connected ? "steady" : "live", this.#stream);
      this.#connected = true;
    } else if (state === "disconnected") {
      this.#fire("unsteady");
    } else if (state === "failed") {
      this.#end(problem(this.#connected ? "connection_lost" : "connection_blocked"));
    }
  }

  #whyNotConnected() {
    return problem(this.#peer?.remoteDescription ? "connection_blocked" : "server_gone");
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #end(reason) {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#peer?.close();
    this.#fire("ended", reason);
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Waits for the socket's end: the server answers the close once the session is gone. */
function closed(socket) {
  if (socket.readyState === WebSocket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, LEAVE_WITHIN_MS);
    socket.addEventListener("close", resolve);
  });
}

/** Waits until every ICE candidate is in the offer: the server takes no later ones. */
function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_WITHIN_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Asks the browser to hold back as little as it can. */
function lowerDelay(receiver) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = 0;
}
