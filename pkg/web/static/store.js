// Holds what the page knows, and says who wants to know when a part of it changes.
//
//   place       where the reader is: view, selection, moment (place.js)
//   site        the NVAs of the site and their groups
//   state       what the NVAs say at the place's moment
//   drawing     the picture at that moment, as SVG text
//   connection  "connecting", "live" or "lost"
//   event       the event that just happened
//   error       why the last question failed; null if it did not

const values = new Map();
const listeners = new Map();

// get returns the value of a part, or undefined.
export function get(name) {
  return values.get(name);
}

// set changes a part and calls its listeners.
export function set(name, value) {
  values.set(name, value);
  for (const listener of listeners.get(name) || []) listener(value);
}

// on calls listener at each change of a part until the returned function is called.
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}
