// Every failure the page foresees: what is wrong, and what to do about it.

/** A failure to show to the person in front of the page. */
export class Problem extends Error {
  constructor(code, title, remedy, details = {}) {
    super(title);
    this.code = code;
    this.title = title;
    this.remedy = remedy;
    this.details = details;
  }
}

const LOCAL = {
  insecure: [
    "The microphone needs a secure address.",
    "Browsers give the microphone to https:// pages and to localhost only. Open this page on the machine that runs mien, or put it behind HTTPS. You can also use “Say this text”, which needs no microphone.",
  ],
  no_microphone: [
    "No microphone was found.",
    "Plug one in or switch it on, then try again. Or use “Say this text”, which needs none.",
  ],
  microphone_refused: [
    "The browser may not use the microphone.",
    "Allow it in the site settings beside the address bar (and in the system’s privacy settings), then try again. Or use “Say this text”, which needs no microphone.",
  ],
  microphone_busy: [
    "The microphone is in use or does not answer.",
    "Close other programs that use it, or choose another microphone, then try again.",
  ],
  microphone_gone: [
    "The microphone was unplugged.",
    "Plug it in again or choose another one. The portrait waits in the meantime.",
  ],
  no_webrtc: [
    "This browser cannot carry the live picture.",
    "Use a current Chrome, Edge, Firefox or Safari, and check that no extension switches WebRTC off.",
  ],
  connection_blocked: [
    "The live picture cannot get through.",
    "A firewall or VPN seems to block UDP between this browser and the server. Try without the VPN, on another network, or on the machine that runs mien.",
  ],
  connection_lost: [
    "The connection was lost.",
    "Check the network, then connect again.",
  ],
  server_gone: [
    "The server does not answer.",
    "It may have been stopped or restarted, or the network is down. Check that “mien serve” is running, then connect again.",
  ],
  autoplay_blocked: [
    "The browser holds the sound back.",
    "Press “Turn the sound on” to hear the portrait.",
  ],
  no_picture: [
    "Connected, but no picture arrives.",
    "The server may be too busy. Stop, close other sessions or programs, and start again.",
  ],
  not_a_picture: [
    "This is not a picture mien can read.",
    "Choose a photo in JPEG, PNG or WebP format.",
  ],
  picture_too_large: [
    "The photo has too many bytes.",
    "Save it smaller, as a JPEG, and choose it again.",
  ],
};

/** Builds the problem of one of the page's own codes. */
export function problem(code, details = {}) {
  const [title, remedy] = LOCAL[code];
  return new Problem(code, title, remedy, details);
}

/** Builds the problem that the server describes: an error object or an error message. */
export function serverProblem(error) {
  return new Problem(
    String(error.code ?? "error"),
    String(error.problem ?? "Something went wrong."),
    String(error.remedy ?? "Try again."),
    error,
  );
}

/** Turns what getUserMedia rejects with into a problem. */
export function microphoneProblem(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return problem("microphone_refused");
    case "NotFoundError":
    case "OverconstrainedError":
      return problem("no_microphone");
    default:
      return problem("microphone_busy");
  }
}
