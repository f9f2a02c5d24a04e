// Keeps the page's data fresh: the state of the moment that is shown, and the stream of changes.
import { ask } from "./api.js";
import { get, on, set } from "./store.js";

// Without a word from the server for so long, it counts as lost. It sends one each 15 seconds, and
// the state is asked for at least that often.
const silence = 25_000;
const between = 15_000;
const retry = 5_000;

// coalesced wraps work so that it never runs twice at once: calls during a run start one more
// after it. So dragging the timeline asks as often as answers come, and ends at the last moment.
export function coalesced(work) {
  let running = false, again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } finally {
      running = false;
    }
  };
}

// eased returns a function that runs work once, ms after the first of any number of calls.
export function eased(work, ms) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => { due = false; work(); }, ms);
  };
}

let heardAt = Date.now();

function heard() {
  heardAt = Date.now();
  if (get("connection") !== "live") set("connection", "live");
}

function lost() {
  if (get("connection") !== "lost") set("connection", "lost");
}

// refresh asks for the state of the moment that is shown.
export const refresh = coalesced(async () => {
  try {
    const state = await ask("state", { at: get("place").at }, { signal: AbortSignal.timeout(silence) });
    heard();
    set("error", null);
    set("state", state);
  } catch (err) {
    if (err instanceof TypeError || err.name === "TimeoutError") lost();
    else set("error", err.message);
  }
});

const refreshSite = coalesced(async () => {
  try {
    set("site", await ask("site"));
  } catch { /* refresh says what is wrong */ }
});

let source = null;

function listen() {
  source = new EventSource(new URL("api/stream", document.baseURI));
  const mine = source;
  const live = (work) => (message) => { heard(); work(JSON.parse(message.data)); };
  source.addEventListener("hello", live(() => { refreshSite(); refresh(); }));
  source.addEventListener("ping", live(() => {}));
  source.addEventListener("change", live((data) => {
    set("change", data.changes);
    if (!get("place").at) refresh();
  }));
  source.addEventListener("site", live(() => { refreshSite(); refresh(); }));
  source.addEventListener("error", () => {
    // The browser connects again by itself, except where the server refuses: then this does.
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => { if (source === mine) listen(); }, retry);
    refresh();
  });
}

// A page that the browser keeps for its back button would keep its connection too, and six of them
// are all that a browser makes to one server.
function pause() {
  addEventListener("pagehide", () => {
    source.close();
    source = null;
  });
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
}

// start begins to load, and loads again whenever the moment changes.
export function start() {
  let shown = NaN;
  on("place", (place) => {
    const at = place.at ? place.at.getTime() : null;
    if (at !== shown) {
      shown = at;
      refresh();
    }
  });
  refreshSite();
  listen();
  pause();
  setInterval(() => {
    if (Date.now() - heardAt > silence) lost();
    if (get("connection") === "lost" || Date.now() - heardAt > between) refresh();
  }, retry);
}
