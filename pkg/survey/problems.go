package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// problems lists what is wrong, the worst first: first what nvad calls a problem, then what
// waits for the operator, then warnings about the configuration.
func problems(s *nvadv1.Status, neighbors []Neighbor) []Problem {
	out := []Problem{}
	for _, p := range s.GetProblems() {
		out = append(out, Problem{"problem", p.GetKind(), p.GetName(), p.GetText(), Moment(p.GetSince()), mendOf(p.GetKind(), p.GetName(), neighbors)})
	}
	if !s.GetInSync() {
		out = append(out, Problem{"problem", "sync", "", "not in sync yet: it still waits for routes of its neighbors", nil, "nvactl status"})
	}
	if missing := s.GetFibWanted() - min(s.GetFibInstalled(), s.GetFibWanted()); missing > 0 {
		out = append(out, Problem{"problem", "kernel", "", fmt.Sprintf("%d of %d routes are not in the kernel", missing, s.GetFibWanted()), nil,
			"nvactl routes fib --failed"})
	}
	out = append(out, configProblems(s.GetConfig())...)
	if s.GetDrainingSince() != nil {
		out = append(out, Problem{"warning", "drain", "", "draining: traffic is moved to other NVAs, by " + s.GetDrainingReason(), Moment(s.GetDrainingSince()),
			"nvactl drain --off"})
	}
	if a := s.GetAzure(); a.GetFindings() > 0 || a.GetError() != "" {
		text := fmt.Sprintf("Azure: the last poll found %d errors and warnings", a.GetFindings())
		out = append(out, Problem{"warning", "azure", "", cmp.Or(prefixed("Azure could not be asked: ", a.GetError()), text), Moment(a.GetTaken()),
			"nvactl azure diff"})
	}
	for _, w := range s.GetWarnings() {
		out = append(out, warning(w))
	}
	return out
}

// mendOf returns the command that mends a problem of nvad's, or that shows why it is there.
func mendOf(kind, name string, neighbors []Neighbor) string {
	if !harmless(name) {
		return "nvactl status"
	}
	switch kind {
	case "neighbor":
		i := slices.IndexFunc(neighbors, func(n Neighbor) bool { return n.Address == name })
		if i >= 0 && neighbors[i].Shutdown {
			return "nvactl enable " + name
		}
		return "nvactl neighbors " + name
	case "tunnel":
		return "nvactl tunnels " + name
	case "route-server":
		return "nvactl azure diff"
	case "drain":
		return "nvactl drain --off"
	case "default-route":
		return "ip route show default"
	}
	return "nvactl status"
}

func configProblems(c *nvadv1.ConfigState) (out []Problem) {
	if c.GetDeadline() != nil {
		out = append(out, Problem{"warning", "config", "", fmt.Sprintf("version %d of the configuration is not confirmed: version %d runs again at %s",
			c.GetVersion(), c.GetFallback(), c.GetDeadline().AsTime().Format("15:04:05 UTC")), Moment(c.GetSince()), "nvactl confirm"})
	}
	switch c.GetFileState() {
	case "differs":
		out = append(out, Problem{"warning", "config", "", c.GetFile() + " differs from what runs", nil, "nvactl reload --dry-run"})
	case "held back":
		out = append(out, Problem{"warning", "config", "", c.GetFile() + " still contains the change that was rolled back; nvad ignores it", nil,
			"nvactl config restore"})
	case "unreadable":
		out = append(out, Problem{"warning", "config", "", c.GetFile() + " can't be read", nil, onFile("nvactl config check %s", c.GetFile())})
	}
	return out
}

// harmless reports whether a word of a daemon may be part of a command, which people copy into
// a shell. A daemon may be an impostor.
func harmless(word string) bool {
	return !strings.HasPrefix(word, "-") && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-", r)
	})
}

// onFile returns a command with the path of a file; nothing if the path has characters that
// mean something to a shell.
func onFile(command, path string) string {
	if path == "" || !harmless(path) {
		return ""
	}
	return fmt.Sprintf(command, path)
}

func warning(w *nvadv1.Warning) Problem {
	text := w.GetKey() + ": " + w.GetText()
	p := Problem{Severity: "warning", Kind: "config", Name: w.GetKey(), Text: text}
	if w.GetLine() > 0 {
		p.Text = fmt.Sprintf("%s:%d: %s", w.GetFile(), w.GetLine(), text)
		p.Mend = onFile(fmt.Sprintf("sudo editor +%d %%s && sudo nvactl reload", w.GetLine()), w.GetFile())
	}
	return p
}

// prefixed returns text behind prefix; nothing if there is no text.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
