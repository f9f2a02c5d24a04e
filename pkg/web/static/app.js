// Starts the page, shows the view that the URL names, and keeps header and title true.
import { mark, stateWord } from "./dom.js";
import * as happened from "./happened.js";
import * as health from "./health.js";
import * as load from "./load.js";
import * as notices from "./notices.js";
import * as picture from "./picture.js";
import * as place from "./place.js";
import * as routes from "./routes.js";
import * as scrubber from "./scrubber.js";
import { get, on } from "./store.js";
import { dated } from "./words.js";

const views = { picture, routes, happened, health };
const titles = { picture: "Picture", routes: "Routes", happened: "What happened", health: "Health" };
const main = document.getElementById("main");
let shown = null, name = "";

function show(now) {
  if (now.view === name) {
    shown.arrive();
  } else {
    if (shown) shown.leave();
    name = now.view;
    main.replaceChildren();
    main.className = name;
    shown = views[name].mount(main);
    scrollTo(0, 0);
  }
  header(now);
}

function header(now) {
  for (const link of document.querySelectorAll("nav a")) {
    link.href = place.href({ view: link.dataset.view, ...(link.dataset.view === now.view ? {} : { sel: "", q: "", open: "" }) });
    if (link.dataset.view === now.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const site = get("site"), one = site?.nvas.length === 1 && site.nvas[0].name;
  document.getElementById("site").textContent = one || "";
  document.title = titles[now.view] + (now.at ? " at " + dated(now.at) : "") + " - nvad" + (one ? " " + one : "");
}

function connection() {
  const el = document.getElementById("connection"), how = get("connection");
  const words = how === "lost" ? ["bad", "Lost"] : how === "live" ? (get("place").at ? ["idle", "Past"] : ["good", "Live"]) : ["idle", "Connecting"];
  if (el.dataset.words !== words[1]) el.replaceChildren(mark(words[0]), words[1]);
  el.dataset.words = words[1];
}

function problems(state) {
  const el = document.getElementById("count"), n = state.problems.length;
  const bad = state.problems.some((p) => p.severity === "problem");
  el.replaceChildren(...(n ? [stateWord(bad ? "bad" : "warn", String(n))] : []));
}

const themes = { auto: "Automatic", light: "Light", dark: "Dark" };

function theme() {
  const button = document.getElementById("theme"), root = document.documentElement, order = Object.keys(themes);
  const label = () => { button.textContent = "Theme: " + themes[root.dataset.theme].toLowerCase(); };
  if (!themes[root.dataset.theme]) root.dataset.theme = "auto";
  button.addEventListener("click", () => {
    root.dataset.theme = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    localStorage.setItem("theme", root.dataset.theme);
    label();
  });
  label();
}

theme();
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
notices.start(document.getElementById("notices"));
scrubber.start(document.getElementById("time"));
on("place", show);
on("place", connection);
on("connection", connection);
on("state", problems);
on("site", () => header(get("place")));
load.start();
place.start();
