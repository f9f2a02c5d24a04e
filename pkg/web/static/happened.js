// Lists what happened, the newest first, from the journals of all NVAs. Opening an event moves the
// whole page to its moment.
import { ask } from "./api.js";
import { h } from "./dom.js";
import { list } from "./list.js";
import { coalesced, eased } from "./load.js";
import { go } from "./place.js";
import { nvaSelect, searched } from "./routes.js";
import { get, on } from "./store.js";
import { later } from "./story.js";
import { count, dated, number } from "./words.js";

const kinds = [["", "Everything"], ["neighbors", "Sessions"], ["routes", "Routes"], ["fib", "Kernel routes"], ["tunnels", "Tunnels"], ["next_hops", "Next hops"],
  ["repairs", "Repairs"], ["operations", "What people did"], ["problems", "Problems"], ["daemon", "Start and stop"]];
const names = { neighbors: "session", routes: "route", fib: "kernel route", tunnels: "tunnel", next_hops: "next hop", repairs: "repair",
  operations: "operation", problems: "problem", daemon: "nvad", gap: "gap" };

const shapes = { bad: "bad", good: "good", info: "idle" };

// said returns an event without the name that the column before it has.
const said = (e) => (e.object && e.text.startsWith(e.object + " ") ? e.text.slice(e.object.length + 1) : e.text);

const columns = [
  { name: "when", head: "Time", text: (e) => dated(new Date(e.time)) },
  { name: "kind", head: "Kind", text: (e) => names[e.kind] || e.kind, mark: (e) => shapes[e.severity] || "idle" },
  { name: "nva", head: "NVA", text: (e) => e.nva },
  { name: "object", head: "What", text: (e) => e.object },
  { name: "text", head: "Event", text: said },
];

// mount fills the view and returns how to update and how to leave it.
export function mount(root) {
  const lead = h("p", { class: "sub", role: "status" });
  const search = h("input", { type: "search", id: "event-search", autocomplete: "off", spellcheck: "false", placeholder: "Prefix, neighbor or word" });
  const nva = nvaSelect(() => get("place").nva, (value) => go({ nva: value }));
  const kind = h("select", { onchange: () => go({ kind: kind.value }) }, kinds.map(([value, name]) => h("option", { value }, name)));
  let until = new Date(), shown = "", total = 0;

  const question = () => {
    const { q, nva, kind } = get("place");
    return { q, nva, kinds: kind, since: get("site")?.oldest };
  };

  const rows = list({
    label: "Events, the newest first. Enter shows the moment of an event.", name: "events", columns, empty: "The journals have no such event.",
    async page(offset, limit) {
      const answer = await ask("events", { ...question(), until, offset, limit });
      const lost = answer.gaps.reduce((n, g) => n + g.lost, 0), silent = answer.errors.map((e) => e.nva + ": " + e.error).join("; ");
      lead.textContent = [count(answer.total, "event"), answer.left_out && number(answer.left_out) + " older ones are not shown",
        lost && number(lost) + " were lost because the disk was too slow or full", silent && "not included: " + silent].filter(Boolean).join("; ");
      return answer;
    },
    open: (row) => go({ at: later(row.time) }),
    dim: (row) => { const { at } = get("place"); return Boolean(at) && new Date(row.time) > at; },
    counted: (n) => { total = n; },
  });

  const form = h("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); go({ q: search.value.trim() }); } },
    h("label", { class: "grow" }, "Search", search), h("label", {}, "Kind", kind), h("label", {}, "NVA", nva.el));
  searched(search);
  const newer = h("button", { type: "button", class: "newer", hidden: true, onclick: () => { rows.toTop(); reload(); } }, "Newer events are there. Show them");
  root.append(h("div", { class: "title" }, h("h1", {}, "What happened"), lead), form, newer, rows.el);

  async function reload() {
    until = new Date();
    newer.hidden = true;
    await rows.reload().catch((err) => { lead.textContent = err.message; });
  }

  // scroll brings the moment into sight: as many rows are above it as events came after it.
  const scroll = coalesced(async () => {
    const { at } = get("place");
    if (!at) return;
    const answer = await ask("events", { ...question(), since: at, until, limit: 1 }).catch(() => null);
    if (answer) rows.scrollTo(Math.min(answer.total, total - 1));
  });

  async function arrive() {
    const place = get("place"), asked = JSON.stringify([place.q, place.nva, place.kind]), at = place.at?.getTime();
    if (document.activeElement !== search) search.value = place.q;
    nva.fill();
    kind.value = place.kind;
    const moved = shown !== asked;
    shown = asked;
    if (moved) await reload();
    rows.redraw((row) => Boolean(at) && later(row.time).getTime() === at);
    if (at && !rows.el.contains(document.activeElement)) scroll();
  }

  const fresh = eased(() => {
    if (get("place").at) return;
    if (rows.atTop) reload();
    else newer.hidden = false;
  }, 1000);
  const off = [on("change", fresh), on("site", (site) => { nva.fill(); if (total === 0 && site.oldest) reload(); })];
  arrive();
  return { arrive, leave: () => off.forEach((f) => f()) };
}
