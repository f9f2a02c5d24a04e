package config

import "github.com/nvad/nvad/pkg/policy"

// unreached reports rules and clauses that no route gets to.
func (w *warner) unreached() {
	for _, u := range policy.FindUnreached(&w.cfg.Policies) {
		if w.cfg.fromPreset(u.Name) {
			continue
		}
		key := w.src.elem(string(u.Kind)+"."+u.Name, u.Index, u.Seq)
		switch {
		case u.Kind == policy.KindRouteMap && u.Count > 1:
			w.warn("unreached", key, "this clause and %d more are never reached: %s has no conditions and decides every route; "+
				"give it a match, number it last, or delete them", u.Count-1, u.By)
		case u.Kind == policy.KindRouteMap:
			w.warn("unreached", key, "this clause is never reached: %s has no conditions and decides every route; "+
				"give it a match, number it last, or delete this one", u.By)
		case u.Count > 1:
			w.warn("unreached", key, "this rule and %d more are never reached: %q comes first and covers them; put them before it, or delete them", u.Count-1, u.By)
		default:
			w.warn("unreached", key, "this rule is never reached: %q comes first and covers it; put it before that one, or delete it", u.By)
		}
	}
}
