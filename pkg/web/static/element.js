// Describes one part of the picture: what it is, how it fares, and where to look further. The
// selection is kind/NVA/name, as the picture names its parts, or nva/NVA.
import { ask, latest } from "./api.js";
import { copyable, facts, h, stateWord, table } from "./dom.js";
import { href } from "./place.js";
import { get } from "./store.js";
import { count, dated, number, since } from "./words.js";

const upDown = (up) => stateWord(up ? "good" : "bad", up ? "up" : "down");

// neighborState shows the state of a session of an NVA. One that an operator shut down is not at
// fault.
export function neighborState(n, nva) {
  if (!nva.ok) return notKnown();
  return stateWord(n.up ? "good" : n.shutdown ? "idle" : "bad", n.shutdown && !n.up ? "shut down" : n.state);
}

// tunnelState shows the state of a tunnel of an NVA.
export function tunnelState(t, nva) {
  return nva.ok ? stateWord(t.up ? "good" : "bad", t.state) : notKnown();
}

const notKnown = () => stateWord("unknown", "not known");

// selected returns the text for a selection.
export const selected = (kind, nva, name) => (kind === "nva" ? [kind, nva] : [kind, nva, name]).join("/");

// link is a link to the description of a part of the picture.
export function link(kind, nva, name, text = name) {
  return h("a", { href: href({ view: "picture", sel: selected(kind, nva, name) }) }, text);
}

// problems lists what is wrong, each with the command that mends it.
export function problems(list) {
  return list.map((p) => h("div", { class: "problem-line" }, stateWord(p.severity === "problem" ? "bad" : "warn", p.severity),
    h("p", {}, p.text), p.mend && copyable(p.mend)));
}

const describe = {
  nva(nva) {
    const at = get("place").at;
    return [
      h("p", { class: "lead" }, nva.ok ? stateWord(nva.in_sync ? "good" : "warn", nva.in_sync ? "in sync" : "not in sync yet") : stateWord("bad", "no answer")),
      !nva.ok && h("p", {}, nva.error),
      problems(nva.problems),
      facts([["Host", nva.host], ["AS", nva.asn || ""], ["Router ID", nva.router_id], ["Sessions", nva.established + " of " + nva.neighbors_total + " established"],
        ["Tunnels", nva.tunnels_total ? nva.tunnels_up + " of " + nva.tunnels_total + " up" : ""], ["Prefixes", number(nva.prefixes)],
        ["In the kernel", nva.fib_wanted ? number(nva.fib_installed) + " of " + number(nva.fib_wanted) + " routes" : ""],
        ["Running for", since(nva.since, at)], ["Version", nva.version],
        ["Drained", nva.draining && since(nva.draining.since, at) + ", by " + nva.draining.reason],
        ["Configuration", nva.config && nva.config.version ? "version " + nva.config.version + "; the file: " + nva.config.file_state : ""],
        ["VNet", nva.vnets.join(", ")]]),
      h("h3", {}, "Neighbors"),
      table("Neighbors of " + nva.name, ["Address", "AS", "State", "Routes in"], nva.neighbors.map((n) =>
        [link("neighbor", nva.name, n.address), n.asn, neighborState(n, nva), number(n.accepted)])),
      nva.tunnels.length > 0 && [h("h3", {}, "Tunnels"), table("Tunnels of " + nva.name, ["Name", "State"],
        nva.tunnels.map((t) => [link("tunnel", nva.name, t.name), tunnelState(t, nva)]))],
    ];
  },

  neighbor(nva, name) {
    const n = nva.neighbors.find((x) => x.address === name);
    if (!n) return null;
    return [
      h("p", { class: "lead" }, neighborState(n, nva), nva.ok && n.since && " for " + since(n.since, get("place").at)),
      n.reason && h("p", {}, n.reason),
      n.warnings.map((w) => h("p", {}, stateWord("warn", "warning"), " ", w)),
      problems(nva.problems.filter((p) => p.name === name)),
      facts([["Of", link("nva", nva.name, nva.name)], ["AS", n.asn || ""], ["Description", n.description], ["Peer-group", n.peer_group], ["Local address", n.local_address],
        ["Received", count(n.received, "route")], ["Accepted", count(n.accepted, "route")], ["Rejected", n.rejected ? count(n.rejected, "route") : ""],
        ["Stale", n.stale ? count(n.stale, "route") : ""], ["Advertised", count(n.advertised, "route")], ["Limit", n.max_prefix ? count(n.max_prefix, "route") : ""],
        ["Went down", n.flaps ? count(n.flaps, "time") : "never"], ["BFD", n.bfd], ["Tunnel", n.tunnel && link("tunnel", nva.name, n.tunnel)]]),
    ];
  },

  tunnel(nva, name) {
    const t = nva.tunnels.find((x) => x.name === name);
    if (!t) return null;
    return [
      h("p", { class: "lead" }, tunnelState(t, nva)),
      t.reason && h("p", {}, t.reason),
      t.warning && h("p", {}, stateWord("warn", "warning"), " ", t.warning),
      problems(nva.problems.filter((p) => p.name === name)),
      facts([["Of", link("nva", nva.name, nva.name)], ["Kind", t.kind === "wireguard" ? "WireGuard" : "VXLAN, VNI " + t.vni], ["From", t.local], ["To", t.remotes.join(", ")],
        ["Over", t.device], ["Port", t.port || ""], ["MTU", t.mtu || ""], ["Addresses", t.addresses.join(", ")],
        ["Received", t.rx_bytes ? number(t.rx_bytes) + " bytes" : ""], ["Sent", t.tx_bytes ? number(t.tx_bytes) + " bytes" : ""],
        ["Last handshake", t.last_handshake && since(t.last_handshake, get("place").at) + " ago"]]),
      t.peers.length > 0 && table("Peers of " + t.name, ["Neighbor", "Behind", "State"], t.peers.map((p) =>
        [p.neighbor ? link("neighbor", nva.name, p.neighbor) : "", p.remote, upDown(p.up)])),
    ];
  },

  // remote is the far end of a tunnel, which is no NVA of the site.
  remote(nva, name) {
    const over = nva.tunnels.filter((t) => t.remotes.includes(name));
    return over.length ? [h("p", {}, "This machine is the far end of a tunnel, and no NVA of this site. Add it to the site file to see its state."),
      facts([["Tunnels", over.map((t) => link("tunnel", nva.name, t.name))]])] : null;
  },

  vnet: network,
  expressroute: network,
};

// network is what lies behind a Route Server: known from the AS paths of its routes.
function network(nva, name) {
  const b = nva.behind.find((x) => x.name === name);
  const vnet = !b && nva.vnets.includes(name);
  if (!b && !vnet) return null;
  return vnet ? [h("p", {}, "An address space of the VNet in which " + nva.name + " is.")] : [
    h("p", {}, b.kind === "expressroute" ? "Reached through an ExpressRoute circuit, as the AS paths of its routes say." : "Reached within Azure, as the AS paths of its routes say."),
    facts([["Learned by", link("nva", nva.name, nva.name)], ["Prefixes", number(b.total)]]),
    h("ul", { class: "prefixes" }, b.prefixes.map((p) => h("li", {}, h("a", { href: href({ view: "routes", q: p, open: p }) }, p)))),
    b.total > b.prefixes.length && h("p", {}, "... and " + number(b.total - b.prefixes.length) + " more"),
  ];
}

const kinds = { nva: "NVA", neighbor: "Neighbor", tunnel: "Tunnel", remote: "Far end", vnet: "Network", expressroute: "On-premises" };

// panel describes the selected part, or returns null if there is no such part at this moment.
export function panel(selection) {
  const [kind, nvaName, ...rest] = selection.split("/"), name = rest.join("/");
  const nva = get("state")?.nvas.find((n) => n.name === nvaName);
  const content = nva && describe[kind] && describe[kind](nva, name);
  if (!content) return null;
  const further = h("p", { class: "links" },
    kind === "nva" && h("a", { href: href({ view: "routes", nva: nvaName }) }, "Its routes"),
    kind === "neighbor" && h("a", { href: href({ view: "routes", nva: nvaName, neighbor: name }) }, "Its routes"),
    h("a", { href: href({ view: "happened", nva: nvaName, q: kind === "neighbor" || kind === "tunnel" ? name : "" }) }, "What happened to it"));
  const events = h("ul", { class: "events" });
  if (["nva", "neighbor", "tunnel"].includes(kind)) recent(events, nvaName, kind === "nva" ? "" : name);
  return h("div", {}, h("p", { class: "kind" }, kinds[kind]), h("h2", { id: "panel-title", tabindex: "-1" }, name || nvaName), content, further, events);
}

const lately = latest((signal, params) => ask("events", params, { signal }));

async function recent(list, nva, q) {
  try {
    const answer = await lately({ nva, q, limit: 6, until: get("place").at });
    if (answer) list.replaceChildren(...answer.rows.map((e) => h("li", { class: e.severity }, h("span", { class: "when" }, dated(new Date(e.time))), " ", e.text)));
  } catch { /* the notices say what is wrong */ }
}

