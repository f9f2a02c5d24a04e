// Shows the timeline at the bottom of every view: how much happened when, and a slider with which
// one looks at a moment of the past. Bars above the line are all events, bars below it those that
// went wrong, so that no color is needed to tell them apart.
import { ask } from "./api.js";
import { h, svg } from "./dom.js";
import { coalesced, eased } from "./load.js";
import { go } from "./place.js";
import { get, on } from "./store.js";
import { clock, count, dated, zone } from "./words.js";

const bars = 160;
const ranges = [["15 minutes", 900], ["1 hour", 3600], ["6 hours", 21600], ["24 hours", 86400], ["7 days", 604800], ["Everything", 0]];

let since = Date.now() - 3600_000, until = Date.now(), buckets = [], dragging = false;
let parts;

const span = () => until - since;
const atPlace = () => get("place").at && get("place").at.getTime();

// look shows the moment ms, or the present if that is at the end.
function look(ms, passing) {
  const live = ms >= Math.min(until, Date.now()) - span() / 400;
  go({ at: live ? null : new Date(Math.max(ms, since)) }, { replace: passing });
}

const load = coalesced(async () => {
  // A journal that is younger than the range has the whole width: nothing is known before it.
  const begun = get("site")?.oldest, age = begun ? Math.max(60_000, Date.now() - new Date(begun)) : Infinity;
  const chosen = Number(parts.range.value) * 1000 || age;
  const length = Math.min(age, chosen === Infinity ? 3600_000 : chosen);
  const at = atPlace();
  const end = at && at < Date.now() - length ? Math.min(Date.now(), at + length / 4) : Date.now();
  try {
    const answer = await ask("timeline", { since: new Date(end - length), until: new Date(end), buckets: bars });
    if (dragging) return;
    since = new Date(answer.since).getTime();
    until = new Date(answer.until).getTime();
    buckets = answer.buckets;
    draw();
  } catch { /* the notices say what is wrong */ }
});

function draw() {
  const most = Math.max(1, ...buckets.map((b) => b.total));
  const tall = (n) => (n ? 2 + 22 * Math.log1p(n) / Math.log1p(most) : 0);
  const bar = (i, y, size) => "M" + (i + 0.15) + " " + y + "h0.7v" + size + "h-0.7z";
  parts.all.setAttribute("d", buckets.map((b, i) => (b.total ? bar(i, 28, -tall(b.total)) : "")).join(""));
  parts.bad.setAttribute("d", buckets.map((b, i) => (b.bad ? bar(i, 30, Math.min(9, 3 + b.bad)) : "")).join(""));
  parts.drawing.setAttribute("viewBox", "0 0 " + Math.max(1, buckets.length) + " 40");
  const label = (ms) => (span() > 86400_000 ? dated(new Date(ms)) : clock(new Date(ms)).slice(0, span() < 600_000 ? 8 : 5));
  parts.labels.forEach((el, i) => { el.textContent = label(since + span() * i / (parts.labels.length - 1)); });
  place();
}

// place puts the thumb where the moment is, and says what it stands for.
function place() {
  const at = atPlace();
  const fraction = at ? Math.max(0, Math.min(1, (at - since) / span())) : 1;
  parts.thumb.style.left = fraction * 100 + "%";
  parts.thumb.classList.toggle("past", Boolean(at));
  parts.later.disabled = !at;
  const bucket = buckets[Math.min(buckets.length - 1, Math.floor(fraction * buckets.length))];
  const near = bucket && bucket.total ? ", " + count(bucket.total, "event") + " around it" : "";
  parts.thumb.setAttribute("aria-valuemin", 0);
  parts.thumb.setAttribute("aria-valuemax", Math.round(span() / 1000));
  parts.thumb.setAttribute("aria-valuenow", Math.round(fraction * span() / 1000));
  parts.thumb.setAttribute("aria-valuetext", at ? dated(new Date(at)) + " " + zone() + near : "Live");
  parts.now.replaceChildren(at ? dated(new Date(at)) : "Live");
  parts.zone.textContent = zone();
}

function timeAt(event) {
  const box = parts.track.getBoundingClientRect();
  return since + span() * Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
}

function drag(event) {
  if (event.button) return;
  dragging = true;
  parts.track.setPointerCapture(event.pointerId);
  parts.thumb.focus({ preventScroll: true });
  look(timeAt(event), false);
  event.preventDefault();
}

function drop() {
  dragging = false;
}

function key(event) {
  const at = atPlace() ?? until, step = span() / 200;
  const to = { ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step, PageDown: at - 10 * step,
    PageUp: at + 10 * step, Home: since, End: until, Escape: until }[event.key];
  if (to === undefined) return;
  look(to, event.repeat);
  event.preventDefault();
}

// leap goes to the last instant of the nearest part of the timeline, before or after the moment, in
// which something happened.
function leap(direction) {
  const at = atPlace() ?? until, width = span() / buckets.length;
  let i = Math.ceil((at - since) / width - 0.001) - 1 + direction;
  while (i >= 0 && i < buckets.length && !buckets[i].total) i += direction;
  if (i >= 0) look(since + (i + 1) * width - 1, false);
}

// start fills the timeline's section and keeps it fresh.
export function start(root) {
  const all = svg("path", { class: "bars" }), bad = svg("path", { class: "bars bad" });
  const drawing = svg("svg", { class: "histogram", preserveAspectRatio: "none", "aria-hidden": "true" }, all, bad);
  const thumb = h("div", { class: "thumb", role: "slider", tabindex: "0", "aria-label": "Moment that is shown", onkeydown: key });
  const track = h("div", { class: "track", onpointerdown: drag, onpointerup: drop, onpointercancel: drop,
    onpointermove: (event) => { if (dragging) look(timeAt(event), true); } }, drawing, thumb);
  const range = h("select", { "aria-label": "Length of the timeline", onchange: load }, ranges.map(([name, s]) => h("option", { value: s }, name)));
  range.value = "3600";
  const earlier = h("button", { type: "button", class: "quiet", onclick: () => leap(-1) }, "Earlier", h("span", { class: "hidden" }, " change"));
  const later = h("button", { type: "button", class: "quiet", onclick: () => leap(1) }, "Later", h("span", { class: "hidden" }, " change"));
  const labels = [0, 1, 2, 3, 4].map(() => h("span", {}));
  const now = h("span", { class: "now" }), place_ = h("span", { class: "zone" });
  parts = { all, bad, drawing, thumb, track, range, earlier, later, labels, now, zone: place_ };
  root.append(h("div", { class: "time-head" }, h("p", { class: "moment" }, now, " ", place_), h("div", { class: "tools" }, earlier, later, range)),
    track, h("div", { class: "axis", "aria-hidden": "true" }, labels));
  on("place", () => {
    const at = atPlace();
    if (at && at < since && !dragging) load();
    place();
  });
  const none = h("p", { class: "sub", hidden: true }, "No NVA keeps a journal, so the page shows the present alone. Set size in [journal] of nvad.toml to keep one.");
  root.append(none);
  on("site", (site) => {
    const kept = site.nvas.some((n) => n.journal);
    none.hidden = kept || !site.nvas.length;
    for (const el of root.children) if (el !== none) el.hidden = !none.hidden;
    load();
  });
  const fresh = () => { if (!atPlace() && !dragging) load(); };
  on("change", eased(fresh, 1000));
  setInterval(fresh, 10_000);
}
