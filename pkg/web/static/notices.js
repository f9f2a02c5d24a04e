// Says above every view what must not be overlooked: that the page shows the past, that the server
// is lost, that an NVA does not answer.
import { h, mark } from "./dom.js";
import { go } from "./place.js";
import { get, on } from "./store.js";
import { clock, dated, lasting, zone } from "./words.js";

// say replaces what el shows unless it already does: a live region reads out each replacement.
function say(el, words, ...more) {
  if (el.dataset.words === words) return;
  el.dataset.words = words;
  el.hidden = !words;
  el.replaceChildren(...(words ? [h("span", {}, ...more, words)] : []));
}

// start fills the section and keeps it true.
export function start(root) {
  const lost = h("div", { class: "notice bad", role: "alert", hidden: true });
  const dead = h("div", { class: "notice bad", role: "status", hidden: true });
  const words = h("span", {});
  const past = h("div", { class: "notice past", hidden: true }, words,
    h("button", { type: "button", id: "live", onclick: () => go({ at: null }) }, "Back to live"));
  root.append(lost, dead, past);
  const frame = () => { root.hidden = [lost, dead, past].every((el) => el.hidden); };

  const connection = () => {
    const state = get("state");
    const seen = state ? " You see what was true at " + clock(new Date(state.now)) + "." : "";
    if (get("connection") === "lost") {
      say(lost, "The connection to nvactl web is lost." + seen + " The page tries again every few seconds. If nvactl web has ended, start it again and open the address that it prints.", mark("bad"));
    } else say(lost, get("error") || "", mark("bad"));
    frame();
  };
  on("connection", connection);
  on("error", connection);
  on("state", (state) => {
    const silent = state.nvas.filter((n) => !n.ok);
    say(dead, silent.map((n) => n.name + (state.at ? " is not known at this moment: " : " does not answer: ") + (n.error || "no reason is known") +
      (state.at || !n.age_seconds ? "." : ". What you see of it is " + lasting(n.age_seconds * 1000) + " old.").replace("..", ".")).join(" "), mark("bad"));
    frame();
  });
  on("place", ({ at }) => {
    past.hidden = !at;
    if (at) words.replaceChildren(h("strong", {}, "You look at " + dated(at)), " " + zone(at) + ", " + lasting(Date.now() - at) + " ago.");
    frame();
  });
}
