// Shows a table of any length. Only the rows in sight exist as elements, and only the pages in sight
// are asked for, so ten thousand routes scroll like ten. It is an ARIA grid: one tab stop, in which
// the arrow keys move and Enter opens.
import { h } from "./dom.js";

const pageRows = 500;
const spare = 6; // rows kept ready beyond each edge
const mostPages = 500;
const mostQuestions = 2;

// list makes a table. columns are {name, head, text(row), mark(row)}; mark is optional and returns a
// state. page(offset, limit) answers {total, rows}; open(row) is called for a click or Enter;
// dim(row) says which rows are shown muted; counted(total) is told the length.
export function list({ label, name, columns, page, open, dim = () => false, counted = () => {}, empty }) {
  let pages = new Map(), asking = new Set(), total = 0, generation = 0;
  let active = -1, height = 0, slots = [], planned = false, opened = () => false;

  const header = h("div", { role: "rowgroup", class: "head" }, h("div", { role: "row", class: "row", "aria-rowindex": "1" },
    columns.map((c) => h("div", { role: "columnheader", class: "cell " + c.name }, c.head))));
  const body = h("div", { role: "rowgroup", class: "body" });
  const grid = h("div", { role: "grid", class: "list " + name, tabindex: "0", "aria-label": label, "aria-readonly": "true" }, header, body);
  const nothing = h("p", { class: "empty", hidden: true }, empty);
  const el = h("div", { class: "list-box" }, grid, nothing);

  const rowAt = (index) => (pages.get(Math.floor(index / pageRows)) || [])[index % pageRows];

  function makeSlot(id) {
    const cells = columns.map((c) => {
      const text = document.createTextNode("");
      const shape = c.mark && h("span", { class: "mark", "aria-hidden": "true" });
      return { el: h("div", { role: "gridcell", class: "cell " + c.name }, shape, text), text, shape };
    });
    const row = h("div", { role: "row", class: "row", id: name + "-" + id }, cells.map((c) => c.el));
    const slot = { el: row, cells, index: -1, row: null, looks: "" };
    row.addEventListener("click", () => { move(slot.index); act(); });
    return slot;
  }

  function fill(slot, index) {
    const row = rowAt(index);
    const looks = "row" + (index === active ? " active" : "") + (row && dim(row) ? " dim" : "") + (row && opened(row) ? " opened" : "");
    if (slot.looks !== looks) slot.el.className = slot.looks = looks;
    if (slot.index === index && slot.row === row) return;
    if (slot.index !== index) {
      slot.el.style.transform = "translateY(" + index * height + "px)";
      slot.el.setAttribute("aria-rowindex", index + 2);
    }
    slot.index = index;
    slot.row = row;
    columns.forEach((c, i) => {
      const cell = slot.cells[i];
      cell.text.nodeValue = row ? c.text(row) : i === 0 ? "..." : "";
      if (cell.shape) cell.shape.className = row ? "mark " + c.mark(row) : "mark";
    });
  }

  function draw() {
    planned = false;
    if (!height || !total) return;
    const first = Math.max(0, Math.floor(grid.scrollTop / height) - spare);
    const last = Math.min(total - 1, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + spare);
    for (let i = first; i <= last; i++) fill(slots[i % slots.length], i);
    for (const slot of slots) slot.el.hidden = slot.index < first || slot.index > last;
    const at = active >= first && active <= last ? name + "-" + (active % slots.length) : null;
    if (at) grid.setAttribute("aria-activedescendant", at);
    else grid.removeAttribute("aria-activedescendant");
    want(first, last);
  }

  function plan() {
    if (!planned) {
      planned = true;
      requestAnimationFrame(draw);
    }
  }

  function want(first, last) {
    for (let n = Math.floor(first / pageRows); n <= Math.floor(last / pageRows); n++) {
      if (!pages.has(n) && !asking.has(n) && asking.size < mostQuestions) fetchPage(n);
    }
  }

  async function fetchPage(n) {
    const mine = generation, questions = asking;
    questions.add(n);
    try {
      const answer = await page(n * pageRows, pageRows);
      if (mine !== generation) return;
      keep(n, answer);
    } catch { /* the notices say what is wrong; the next scroll asks again */ } finally {
      questions.delete(n);
    }
    plan();
  }

  function keep(n, answer) {
    pages.set(n, answer.rows);
    if (pages.size > mostPages) pages.delete(pages.keys().next().value);
    if (answer.total !== total || n === 0) resize(answer.total);
  }

  function resize(rows) {
    total = rows;
    active = Math.min(active, total - 1);
    grid.setAttribute("aria-rowcount", total + 1);
    grid.hidden = total === 0;
    nothing.hidden = total > 0;
    measure();
    counted(total);
  }

  // measure takes the height of a row from the style sheet, which has other ones for narrow screens.
  function measure() {
    height = parseFloat(getComputedStyle(grid).getPropertyValue("--row")) * parseFloat(getComputedStyle(document.documentElement).fontSize) || 36;
    body.style.height = total * height + "px";
    const needed = Math.min(total, Math.ceil(grid.clientHeight / height) + 2 * spare + 2);
    if (needed !== slots.length) {
      slots = Array.from({ length: needed }, (_, id) => makeSlot(id));
      body.replaceChildren(...slots.map((s) => s.el));
    } else slots.forEach((s) => { s.index = -1; });
    draw();
  }

  function move(index) {
    active = Math.max(0, Math.min(total - 1, index));
    const top = active * height, room = grid.clientHeight - header.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + height > grid.scrollTop + room) grid.scrollTop = top + height - room;
    draw();
  }

  function act() {
    const row = rowAt(active);
    if (row) open(row);
  }

  grid.addEventListener("keydown", (event) => {
    const jump = Math.max(1, Math.floor(grid.clientHeight / height) - 2);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + jump, PageUp: active - jump, Home: 0, End: total - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") act();
    else if (to !== undefined) move(to);
    else return;
    event.preventDefault();
  });
  grid.addEventListener("focus", () => { if (active < 0 && total) move(Math.floor(grid.scrollTop / height)); });
  grid.addEventListener("scroll", plan, { passive: true });
  new ResizeObserver(() => { if (total) measure(); }).observe(grid);

  return {
    el,
    // reload asks again. The rows in sight stay until the answer is there.
    async reload() {
      const mine = ++generation;
      const n = Math.max(0, Math.floor(grid.scrollTop / (height || 1) / pageRows));
      const answers = await Promise.all([...new Set([n, 0])].map(async (i) => [i, await page(i * pageRows, pageRows)]));
      if (mine !== generation) return;
      pages = new Map();
      asking = new Set();
      for (const [i, answer] of answers) keep(i, answer);
      plan();
    },
    // redraw shows changed looks of the same rows. is(row) says which row is open.
    redraw(is) {
      opened = is || opened;
      plan();
    },
    scrollTo(index) {
      grid.scrollTop = Math.max(0, (index - 2) * height);
    },
    toTop() {
      grid.scrollTop = 0;
    },
    get atTop() {
      return grid.scrollTop < height;
    },
  };
}
