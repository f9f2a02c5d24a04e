// Keeps the view, the selection and the moment in the URL, after the #: a reload and the browser's
// back button show the same again, and a colleague can be sent the address.
//
//   #/routes?at=2026-11-30T03:12:07.000Z&q=10.0.0.0/8&open=10.110.0.0/16
import { get, set } from "./store.js";

const views = ["picture", "routes", "happened", "health"];

// own lists the parameters of each view. The moment, at, belongs to all of them.
const own = { picture: ["sel"], routes: ["q", "nva", "neighbor", "open"], happened: ["q", "nva", "kind", "neighbor", "prefix"], health: [] };

function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const view = views.includes(path) ? path : "picture";
  const given = new URLSearchParams(query);
  const place = { view, at: moment(given.get("at")) };
  for (const name of own[view]) place[name] = given.get(name) || "";
  return place;
}

// moment returns the time of a text, or null for live, also if the text is no time.
function moment(text) {
  const at = text ? new Date(text) : null;
  return at && !Number.isNaN(at.getTime()) ? at : null;
}

// href returns the address of the current place with changes. A change of the view drops the
// parameters of the old one, but never the moment.
export function href(changes) {
  const now = get("place");
  const view = changes.view || now.view;
  const next = { ...(view === now.view ? now : { at: now.at }), ...changes };
  const query = new URLSearchParams();
  if (next.at) query.set("at", next.at.toISOString());
  for (const name of own[view]) if (next[name]) query.set(name, next[name]);
  const text = query.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return "#/" + view + (text ? "?" + text : "");
}

// go changes the place. With replace, the back button skips the place that is left: while a moment
// is dragged, each step would be an entry of the history otherwise.
export function go(changes, { replace = false } = {}) {
  const to = href(changes);
  if (to === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  arrive();
}

function arrive() {
  set("place", parse(location.hash));
}

// start reads the place and follows the browser's back and forward.
export function start() {
  addEventListener("popstate", arrive);
  addEventListener("hashchange", arrive);
  arrive();
}
