// Shows what is wrong, the worst first, each with the command that mends it, and how each NVA fares.
import { copyable, h, keepFocus, stateWord, table } from "./dom.js";
import { link } from "./element.js";
import { figures, verdict } from "./picture.js";
import { get, on } from "./store.js";
import { clock, dated, number, since } from "./words.js";

function problem(p) {
  const known = get("state").nvas.find((n) => n.name === p.nva);
  const kind = known?.neighbors.some((n) => n.address === p.name) ? "neighbor" : known?.tunnels.some((t) => t.name === p.name) ? "tunnel" : "nva";
  return h("li", { class: "problem " + (p.severity === "problem" ? "bad" : "warn") },
    h("h2", {}, stateWord(p.severity === "problem" ? "bad" : "warn", p.severity), " ", p.nva && link("nva", p.nva, p.nva), kind !== "nva" && [" ", link(kind, p.nva, p.name)]),
    h("p", { class: "what" }, p.text),
    p.since && h("p", { class: "sub" }, "Since " + dated(new Date(p.since)) + ", for " + since(p.since, get("place").at)),
    p.mend && copyable(p.mend));
}

function nvas(state) {
  return table("NVAs", ["NVA", "State", "Sessions", "Tunnels", "Prefixes", "In the kernel", "Running for", "Version"], state.nvas.map((n) =>
    [link("nva", n.name, n.name), !n.ok ? stateWord("bad", "no answer") : n.draining ? stateWord("warn", "drained") : n.in_sync ? stateWord("good", "in sync") : stateWord("warn", "not in sync"),
      n.established + " of " + n.neighbors_total, n.tunnels_total ? n.tunnels_up + " of " + n.tunnels_total : "none", number(n.prefixes),
      n.fib_wanted ? number(n.fib_installed) + " of " + number(n.fib_wanted) : "", since(n.since, get("place").at), n.version]));
}

// mount fills the view and returns how to update and how to leave it.
export function mount(root) {
  const title = h("h1", {}), lead = h("p", { class: "sub" }), list = h("ul", { class: "problems" }), tables = h("div", { class: "tables" });
  root.append(h("div", { class: "title" }, title, lead), list, tables);
  let shown = "";

  function update() {
    const state = get("state");
    if (!state) return;
    const [kind, words] = verdict(state);
    title.replaceChildren(stateWord(kind, words));
    lead.replaceChildren(figures(state) + ". Checked at " + clock(new Date(state.at || state.now)) + ".");
    const next = JSON.stringify([state.problems, state.at]);
    if (next !== shown) keepFocus(list, () => list.replaceChildren(...state.problems.map(problem)));
    shown = next;
    keepFocus(tables, () => tables.replaceChildren(h("h2", {}, "NVAs"), nvas(state)));
  }
  const off = on("state", update);
  update();
  return { arrive() {}, leave: off };
}
