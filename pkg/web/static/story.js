// Tells why a prefix fares as it does: a card for each NVA, in the order in which the route travels,
// with steps that one reads at a glance. Below, the states that the prefix went through.
import { ask, latest } from "./api.js";
import { h, keepFocus, mark, stateWord } from "./dom.js";
import { link } from "./element.js";
import { go } from "./place.js";
import { get } from "./store.js";
import { count, dated, lasting } from "./words.js";

const steps = { ok: ["good", "yes"], bad: ["bad", "no"], info: ["idle", "note"] };
const verdicts = { good: ["good", "in use"], bad: ["bad", "not in use"], none: ["idle", "not known"] };
const mostStates = 100;

function step(s) {
  const [shape, word] = steps[s.state] || steps.info;
  return h("li", { class: "step " + shape }, mark(shape), h("div", {},
    h("p", { class: "step-title" }, h("span", { class: "hidden" }, word + ": "), s.title), s.detail && h("p", { class: "sub" }, s.detail),
    s.lines.length > 0 && h("details", {}, h("summary", {}, count(s.lines.length, "detail"), h("span", { class: "hidden" }, " of " + s.title)),
      h("ul", { class: "lines" }, s.lines.map((l) => h("li", {}, l))))));
}

function card(n, i) {
  const [shape, word] = n.ok ? verdicts[n.verdict] || verdicts.none : ["bad", "no answer"];
  return h("li", { class: "card" }, i > 0 && h("span", { class: "arrow", "aria-hidden": "true" }),
    h("h3", {}, link("nva", n.nva, n.nva), " ", stateWord(shape, word)),
    h("p", { class: "summary" }, n.ok ? n.summary : n.error),
    h("ol", { class: "steps" }, n.steps.map(step)),
    n.text && h("details", { class: "whole" }, h("summary", {}, "As nvactl explain prints it", h("span", { class: "hidden" }, " on " + n.nva)),
      h("pre", { tabindex: "0", role: "group", "aria-label": "nvactl explain on " + n.nva }, n.text)));
}

// later returns a time that includes what happened at text: the page has milliseconds, the journal
// microseconds.
export function later(text) {
  return new Date(new Date(text).getTime() + 1);
}

function past(list, errors) {
  if (!list.length) return errors.map((e) => h("p", { class: "sub" }, e.nva + ": " + e.error));
  return [h("h3", {}, "States, the newest first"), h("ol", { class: "states" }, list.slice(0, mostStates).map((s) => h("li", { class: s.present ? "good" : "idle" },
    mark(s.present ? "good" : "idle"), h("div", {}, h("p", {},
      h("button", { type: "button", class: "time-link", onclick: () => go({ at: later(s.from) }) }, dated(new Date(s.from)), h("span", { class: "hidden" }, ": look at this moment")),
      " ", h("span", { class: "sub" }, s.nva, s.seconds !== null ? ", for " + lasting(s.seconds * 1000) : ", until now")),
    h("p", {}, s.text), s.cause && h("p", { class: "sub" }, "Cause: " + s.cause))))),
  list.length > mostStates && h("p", { class: "sub" }, "... and " + count(list.length - mostStates, "older state"))];
}

// story makes the part of the view that explains. show(prefix) fills it and hides it for "".
export function story() {
  const el = h("section", { class: "story", "aria-label": "Explanation", hidden: true });
  const question = latest((signal, prefix, at) => ask("explain", { prefix, at }, { signal }));
  let shown = "";

  async function show(prefix, focus) {
    el.hidden = !prefix;
    if (!prefix) return;
    const open = shown === prefix ? [...el.querySelectorAll("details")].map((d) => d.open) : [];
    if (shown !== prefix) el.replaceChildren(h("p", { class: "empty" }, "Asking about " + prefix + " ..."));
    shown = prefix;
    try {
      const x = await question(prefix, get("place").at);
      if (!x) return;
      const title = h("h2", { tabindex: "-1" }, x.prefix || prefix);
      keepFocus(el, () => el.replaceChildren(h("div", { class: "story-head" }, h("div", {}, title, x.asked && x.asked !== x.prefix && h("p", { class: "sub" }, "the longest match of " + x.asked)),
        h("button", { type: "button", class: "close", onclick: () => go({ open: "" }) }, "Close", h("span", { class: "hidden" }, " the explanation"))),
      h("ol", { class: "cards" }, x.nvas.map(card)), ...past(x.history, x.history_errors).flat().filter(Boolean)));
      el.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
      if (focus) title.focus({ preventScroll: innerWidth > 1000 });
    } catch (err) {
      shown = "";
      el.replaceChildren(h("p", { class: "empty" }, stateWord("bad", "no answer"), " ", err.message));
    }
  }
  return { el, show };
}
