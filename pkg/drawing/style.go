package drawing

// palette has the colors of states as variables, and the other rules use them. Text and lines
// contrast with what they are on by 4.5 and 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
const (
	light = `--d-ground:#fff;--d-hub:#f3f5f8;--d-box:#fff;--d-line:#7d8590;--d-ink:#1b1f24;--d-soft:#4e5661;--d-up:#117a37;--d-down:#c0182b;--d-idle:#8a5a00;--d-stale:#616a76;--d-tint:#fdeef0`
	dark  = `--d-ground:#0d1117;--d-hub:#151b23;--d-box:#0d1117;--d-line:#6e7784;--d-ink:#e8edf3;--d-soft:#a4adb9;--d-up:#3fc060;--d-down:#ff7b72;--d-idle:#e0a52f;--d-stale:#9aa4b0;--d-tint:#2a1418`
)

const rules = `
.drawing{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
.drawing text{font-size:11.5px;fill:var(--d-soft)}
.drawing .title{font-size:13px;font-weight:600;fill:var(--d-ink)}
.drawing .name{fill:var(--d-ink)}
.drawing .hubtitle{font-size:13px;font-weight:600;fill:var(--d-soft)}
.drawing .ground{fill:var(--d-ground)}
.drawing .hub{fill:var(--d-hub);stroke:none}
.drawing .box{fill:var(--d-box);stroke:var(--d-line);stroke-width:1}
.drawing .up>.box{stroke:var(--d-up);stroke-width:1.5}
.drawing .down>.box{stroke:var(--d-down);stroke-width:2;fill:var(--d-tint)}
.drawing .idle>.box{stroke:var(--d-idle);stroke-width:1.5;stroke-dasharray:6 3}
.drawing .stale>.box{stroke:var(--d-stale);stroke-width:1.5;stroke-dasharray:2 3}
.drawing .row{fill:transparent}
.drawing .edge{fill:none;stroke:var(--d-line);stroke-width:1.5}
.drawing .edge.up{stroke:var(--d-up);stroke-width:2}
.drawing .edge.down{stroke:var(--d-down);stroke-width:2;stroke-dasharray:6 4}
.drawing .edge.idle{stroke:var(--d-idle);stroke-width:2;stroke-dasharray:2 4}
.drawing .edge.stale{stroke:var(--d-stale);stroke-dasharray:2 4}
.drawing .mark{fill:none;stroke:var(--d-line);stroke-width:2;stroke-linecap:round}
.drawing .up>.mark{fill:var(--d-up);stroke:var(--d-up)}
.drawing .down>.mark{stroke:var(--d-down)}
.drawing .idle>.mark{stroke:var(--d-idle)}
.drawing .stale>.mark{stroke:var(--d-stale)}
.drawing .item>.word>tspan{fill:var(--d-soft);font-weight:400}
.drawing .up>.word{fill:var(--d-up)}
.drawing .down>.word{fill:var(--d-down);font-weight:600}
.drawing .idle>.word{fill:var(--d-idle);font-weight:600}
.drawing .stale>.word{fill:var(--d-stale);font-weight:600}
`

// Style returns the style of drawings, for the page that shows them. Its colors follow the
// system, unless the attribute data-theme of the page says "light" or "dark".
func Style() string {
	return ".drawing{" + light + "}\n@media (prefers-color-scheme:dark){.drawing{" + dark + "}}\n" +
		"[data-theme=light] .drawing{" + light + "}\n[data-theme=dark] .drawing{" + dark + "}\n" + rules +
		".drawing .item{cursor:pointer}\n.drawing .item:hover>.box,.drawing .item:hover>.row{fill:color-mix(in srgb,var(--d-line) 14%,var(--d-box))}\n" +
		".drawing .item:focus-visible{outline:none}\n.drawing .item:focus-visible>.box,.drawing .item:focus-visible>.row{stroke:var(--d-ink);stroke-width:3;stroke-dasharray:none}\n"
}

// ownStyle returns the style of a drawing that is a file of its own.
func ownStyle() string {
	return "\n.drawing{" + light + "}\n@media (prefers-color-scheme:dark){.drawing{" + dark + "}}" + rules
}
