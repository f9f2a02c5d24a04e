// Shows the routes of all NVAs, searches them, and explains the one that the reader opens.
import { ask } from "./api.js";
import { h } from "./dom.js";
import { list } from "./list.js";
import { eased } from "./load.js";
import { go } from "./place.js";
import { get, on } from "./store.js";
import { story } from "./story.js";
import { count, number } from "./words.js";

// fate says in one word what became of a route, and with which shape it is shown.
function fate(r) {
  if (!r.valid) return ["bad", "not valid"];
  if (r.stale) return ["warn", "stale"];
  if (r.best) return r.fib ? ["good", "in use"] : ["warn", "not in the kernel"];
  return r.multipath ? ["good", "shares traffic"] : ["idle", "alternative"];
}

const columns = [
  { name: "prefix", head: "Prefix", text: (r) => r.prefix },
  { name: "state", head: "State", text: (r) => fate(r)[1], mark: (r) => fate(r)[0] },
  { name: "nva", head: "NVA", text: (r) => r.nva },
  { name: "from", head: "From", text: (r) => r.neighbor || r.source },
  { name: "hop", head: "Next hop", text: (r) => r.next_hops.join(", ") || r.next_hop },
  { name: "path", head: "AS path", text: (r) => r.as_path || "local" },
  { name: "communities", head: "Communities", text: (r) => r.communities.join(" ") },
];

const destination = /^[0-9a-f:.]+(\/\d+)?$/i;

// nvaSelect makes a choice of one NVA, or all, which keeps up with the site.
export function nvaSelect(value, change) {
  const el = h("select", { onchange: () => change(el.value) });
  const fill = () => {
    const names = (get("site")?.nvas || []).map((n) => n.name);
    el.replaceChildren(h("option", { value: "" }, "All NVAs"), ...names.map((n) => h("option", { value: n }, n)));
    el.value = value();
  };
  fill();
  return { el, fill };
}

// searched follows what is typed into a search field of the view. The reader may have left the view
// before the pause has passed: the text must not become a search of the next one.
export function searched(field) {
  field.addEventListener("input", eased(() => {
    if (field.isConnected && field.value.trim() !== get("place").q) go({ q: field.value.trim() }, { replace: true });
  }, 250));
}

// mount fills the view and returns how to update and how to leave it.
export function mount(root) {
  const lead = h("p", { class: "sub", role: "status" });
  const search = h("input", { type: "search", id: "route-search", autocomplete: "off", spellcheck: "false", placeholder: "10.110.0.0/16, 10.110.0.4, AS or community" });
  const nva = nvaSelect(() => get("place").nva, (value) => go({ nva: value }));
  const only = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => go({ neighbor: "" }) });
  const told = story();
  let opening = false, shown = "";

  const rows = list({
    label: "Routes, one a line. Enter explains a route.", name: "routes", columns, empty: "No route matches.",
    async page(offset, limit) {
      const { q, nva, neighbor, at } = get("place");
      const answer = await ask("routes", { q, nva, neighbor, at, offset, limit });
      const silent = answer.errors.map((e) => e.nva + ": " + e.error).join("; ");
      lead.textContent = count(answer.total, "route") + (answer.left_out ? ", and " + number(answer.left_out) + " more that only a search for a prefix or an address finds" : "") + (silent ? ". Not included: " + silent : "");
      return answer;
    },
    open(row) {
      opening = innerWidth < 1000; // beside the list, the explanation leaves the focus where it is
      go({ open: row.prefix });
    },
  });

  const form = h("form", { class: "filters", role: "search", onsubmit: (event) => {
    event.preventDefault();
    const q = search.value.trim();
    opening = destination.test(q);
    go({ q, open: opening ? q : "" });
  } }, h("label", { class: "grow" }, "Prefix or address", search), h("label", {}, "NVA", nva.el), h("button", { type: "submit" }, "Search"), only);

  searched(search);
  root.append(h("div", { class: "title" }, h("h1", {}, "Routes"), lead), form, h("div", { class: "split story-split" }, rows.el, told.el));

  const reload = () => rows.reload().catch((err) => { lead.textContent = err.message; });
  const fresh = eased(() => {
    if (get("place").at) return;
    reload();
    told.show(get("place").open);
  }, 1000);

  function arrive() {
    const place = get("place");
    const asked = JSON.stringify([place.q, place.nva, place.neighbor, place.at]);
    if (document.activeElement !== search || !search.value.startsWith(place.q)) search.value = place.q;
    nva.fill();
    only.hidden = !place.neighbor;
    only.textContent = "Only from " + place.neighbor + " (remove)";
    if (asked !== shown) reload();
    shown = asked;
    told.show(place.open, opening);
    opening = false;
    root.classList.toggle("opened", Boolean(place.open));
    rows.redraw((row) => row.prefix === place.open);
  }

  const relevant = (changes) => changes.some((c) => c.kinds.some((k) => ["routes", "fib", "neighbors", "daemon"].includes(k)));
  const off = [on("site", nva.fill), on("change", (changes) => { if (relevant(changes)) fresh(); })];
  arrive();
  return { arrive, leave: () => { off.forEach((f) => f()); root.classList.remove("opened"); } };
}
