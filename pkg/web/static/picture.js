// Shows the site as a drawing, with the state of each session and tunnel, and describes the part
// that the reader selects. Below the drawing, the same is in tables.
import { ask, latest } from "./api.js";
import { h, keepFocus, stateWord, table } from "./dom.js";
import { link, neighborState, panel, selected, tunnelState } from "./element.js";
import { go } from "./place.js";
import { get, on } from "./store.js";
import { count, listed, number, since } from "./words.js";

const draw = latest((signal, at, width) => ask("picture", { at, width }, { signal, form: "text" }));

// largest is how much the drawing grows at most.
const largest = 1.8;

const total = (nvas, key) => nvas.reduce((sum, n) => sum + n[key], 0);

// named gives a part of the drawing a name that begins with what one reads there, so that people who
// speak to their computer can say it. What the drawing had to shorten follows in full. The spaces
// keep the texts apart where they are read without their places.
function named(el) {
  const texts = [...el.querySelectorAll("text")], full = el.getAttribute("aria-label");
  texts.forEach((t) => t.after(" "));
  const visible = texts.map((t) => t.textContent).join(" ");
  el.setAttribute("aria-label", visible.includes("\u2026") || !visible ? visible + " " + full : visible);
}

// verdict puts the state of the whole site into one line.
export function verdict(state) {
  const n = state.problems.filter((p) => p.severity === "problem").length, w = state.problems.length - n;
  if (!state.problems.length) return ["good", "All is well"];
  return [n ? "bad" : "warn", listed([n && count(n, "problem"), w && count(w, "warning")].filter(Boolean))];
}

// figures counts what there is, in one sentence. An NVA that does not answer has no say.
export function figures(state) {
  const nvas = state.nvas.filter((n) => n.ok), silent = state.nvas.length - nvas.length, tunnels = total(nvas, "tunnels_total");
  return [count(state.nvas.length, "NVA"), silent ? silent + " without an answer" : "", total(nvas, "established") + " of " + total(nvas, "neighbors_total") + " sessions established",
    tunnels ? total(nvas, "tunnels_up") + " of " + tunnels + " tunnels up" : ""].filter(Boolean).join(", ");
}

function sessions({ nvas }) {
  const at = get("place").at;
  return table("Sessions", ["NVA", "Neighbor", "AS", "State", "For", "Accepted", "Advertised", "Reason"], nvas.flatMap((nva) => nva.neighbors.map((n) =>
    [nva.name, link("neighbor", nva.name, n.address), n.asn, neighborState(n, nva), since(n.since, at), number(n.accepted), number(n.advertised), n.reason])));
}

function tunnels({ nvas }) {
  return table("Tunnels", ["NVA", "Tunnel", "To", "State", "Reason"], nvas.flatMap((nva) => nva.tunnels.map((t) =>
    [nva.name, link("tunnel", nva.name, t.name), t.remotes.join(", "), tunnelState(t, nva), t.reason || t.warning])));
}

// mount fills the view and returns how to update and how to leave it.
export function mount(root) {
  const title = h("h1", {}), lead = h("p", { class: "sub" });
  const canvas = h("div", { class: "canvas" }), tables = h("div", { class: "tables" });
  const aside = h("aside", { class: "panel", "aria-label": "Selected part", hidden: true });
  root.append(h("div", { class: "title" }, title, lead), h("div", { class: "split picture" }, h("div", { class: "wide" }, canvas, tables), aside));
  let wanted = "", width = 0;

  async function redraw() {
    width = canvas.clientWidth;
    // The drawing has the page's size of text, and grows further where there is room, as on a wall.
    const least = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const asked = Math.min(width / least, Math.max(1040, 520 * (get("state")?.nvas.length || 0)));
    const text = await draw(get("state")?.at, Math.max(320, Math.min(4000, Math.floor(asked)))).catch(() => undefined);
    if (text === undefined || text === wanted) return markSelected();
    wanted = text;
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    const [wide, high] = ["width", "height"].map((side) => Number(parsed.getAttribute(side)));
    const scale = Math.max(least, Math.min(width / wide, innerHeight / 2 / high, largest));
    parsed.setAttribute("width", wide * scale);
    parsed.setAttribute("height", high * scale);
    const focus = keyOf(document.activeElement);
    canvas.replaceChildren(document.importNode(parsed, true));
    for (const el of items()) named(el);
    markSelected();
    if (focus && canvas.contains(document.activeElement) === false) itemOf(focus)?.focus({ preventScroll: true });
  }

  const keyOf = (el) => (el?.dataset?.kind && canvas.contains(el) ? selected(el.dataset.kind, el.dataset.nva, el.dataset.name) : "");
  const items = () => [...canvas.querySelectorAll("[data-kind]")];
  const itemOf = (key) => items().find((el) => keyOf(el) === key);

  function markSelected() {
    const sel = get("place").sel;
    for (const el of items()) {
      el.classList.toggle("selected", keyOf(el) === sel);
      el.setAttribute("aria-pressed", keyOf(el) === sel);
    }
  }

  function choose(event) {
    const item = event.target.closest?.("[data-kind]");
    if (!item || !canvas.contains(item)) return;
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    go({ sel: keyOf(item) });
    aside.querySelector("h2")?.focus({ preventScroll: innerWidth > 900 });
  }
  canvas.addEventListener("click", choose);
  canvas.addEventListener("keydown", choose);

  function close() {
    const key = get("place").sel;
    go({ sel: "" });
    itemOf(key)?.focus();
  }

  function describe() {
    const { sel } = get("place");
    const content = sel && panel(sel);
    aside.hidden = !sel;
    keepFocus(aside, () => aside.replaceChildren(...(sel ? [h("button", { type: "button", class: "close", "aria-label": "Close the description", onclick: close }, "Close"),
      content || h("p", {}, get("state") ? "This part is not there at this moment." : "Asking ...")] : [])));
    markSelected();
  }
  aside.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  function update() {
    const state = get("state");
    if (!state) return;
    const [kind, words] = verdict(state);
    title.replaceChildren(stateWord(kind, words));
    lead.replaceChildren(figures(state));
    const scrolled = [...tables.querySelectorAll(".scroll-x")].map((el) => el.scrollLeft);
    keepFocus(tables, () => tables.replaceChildren(h("h2", {}, "Sessions"), sessions(state),
      ...(total(state.nvas, "tunnels_total") ? [h("h2", {}, "Tunnels"), tunnels(state)] : [])));
    tables.querySelectorAll(".scroll-x").forEach((el, i) => { el.scrollLeft = scrolled[i] || 0; });
    redraw();
  }

  const sized = new ResizeObserver(() => { if (Math.abs(canvas.clientWidth - width) > 8) redraw(); });
  sized.observe(canvas);
  const off = [on("state", () => { update(); describe(); })];
  update();
  return {
    arrive: describe,
    leave() {
      sized.disconnect();
      off.forEach((f) => f());
    },
  };
}
