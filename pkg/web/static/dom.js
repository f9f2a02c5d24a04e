// Makes elements. Text from neighbors and files reaches the page through text nodes and attributes
// alone, so nothing that a neighbor sends can become markup.

// h makes an element. A property that starts with "on" is a listener, "class" and names with a dash
// are attributes, false and null are left out. Children are nodes, texts, or arrays of both.
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return el;
}

// svg makes an element of a drawing.
export function svg(tag, attributes, ...children) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

// mark shows a state as a shape. The word beside it says the same, so screen readers skip it.
export function mark(state) {
  return h("span", { class: "mark " + state, "aria-hidden": "true" });
}

// stateWord shows a state as a shape, a word and a color.
export function stateWord(state, word) {
  return h("span", { class: "state-word " + state }, mark(state), word);
}

// table makes a table of few rows. Each row is an array of cells.
export function table(caption, heads, rows) {
  return h("div", { class: "scroll-x", tabindex: "0", role: "group", "aria-label": caption },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
}

// facts makes a list of names and values. Pairs without a value are left out.
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// keepFocus changes what is within root, and gives the focus back to what stands where it was: a
// refresh must not throw a keyboard user out of a table.
export function keepFocus(root, change) {
  const stops = () => [...root.querySelectorAll("a, button, summary, [tabindex]")];
  const at = stops().indexOf(document.activeElement);
  change();
  if (at >= 0) stops()[Math.min(at, stops().length - 1)]?.focus({ preventScroll: true });
}

// copyable shows a command with a button that copies it.
export function copyable(command) {
  const button = h("button", { type: "button", class: "copy", "aria-label": "Copy the command " + command }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copy(command, code)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  const code = h("code", {}, command);
  return h("div", { class: "command" }, code, button);
}

// copy puts text into the clipboard. Where the browser forbids that, as over plain HTTP from another
// machine, it selects the text instead and returns false.
async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return false;
  }
}
