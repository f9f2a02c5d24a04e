// Puts times, durations and numbers into words.

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

const two = (n) => String(n).padStart(2, "0");

// clock returns the time of day in the reader's time zone, such as 03:12:07.
export function clock(at) {
  return two(at.getHours()) + ":" + two(at.getMinutes()) + ":" + two(at.getSeconds());
}

// dated returns the time, and the day unless it is today.
export function dated(at) {
  return at.toDateString() === new Date().toDateString() ? clock(at) : day.format(at) + " " + clock(at);
}

// zone returns the reader's time zone, such as UTC+2.
export function zone(at = new Date()) {
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const text = (minutes > 0 ? "+" : "-") + Math.floor(Math.abs(minutes) / 60);
  return "UTC" + text + (minutes % 60 ? ":" + two(Math.abs(minutes) % 60) : "");
}

// lasting returns a duration of milliseconds in its two largest units, such as 2 h 5 min.
export function lasting(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return pair(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return pair(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

function pair(a, unit, b, smaller) {
  return b ? a + " " + unit + " " + b + " " + smaller : a + " " + unit;
}

// since returns how long ago a time was, seen from the moment that the page shows.
export function since(text, moment) {
  return text ? lasting((moment || new Date()) - new Date(text)) : "";
}

// count returns a number with its noun, such as 1 route or 2,000 routes.
export function count(n, noun) {
  return number(n) + " " + noun + (n === 1 ? "" : "s");
}

// number returns a number with separators.
export function number(n) {
  return (n || 0).toLocaleString("en");
}

// listed joins words as in a sentence: a, b and c.
export function listed(words) {
  if (words.length < 2) return words.join("");
  return words.slice(0, -1).join(", ") + " and " + words[words.length - 1];
}
