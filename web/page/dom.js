// Small helpers over the document.

/** Returns the element with this id. */
export const byId = (id) => document.getElementById(id);

/** Builds an element: properties are set, attributes with a dash or of role are written as such. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Builds an icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Shows another icon in a button. */
export function setIcon(button, name) {
  button.querySelector("use").setAttribute("href", `#i-${name}`);
}

/** Runs `action` at most once in `milliseconds`, and once more for the last call. */
export function throttle(action, milliseconds) {
  let timer = null;
  let pending = null;
  return (...values) => {
    if (timer !== null) {
      pending = values;
      return;
    }
    action(...values);
    timer = setTimeout(function again() {
      timer = null;
      if (pending === null) return;
      const last = pending;
      pending = null;
      action(...last);
      timer = setTimeout(again, milliseconds);
    }, milliseconds);
  };
}

/** Tells screen readers what happened. */
export function announce(text) {
  byId("status").textContent = text;
}
