package config

import (
	"fmt"
	"io"
)

// Check reads the file at path and writes a verdict, after its warnings, to w.
// The error is that of [Load].
func Check(path string, w io.Writer) error {
	cfg, err := Load(path)
	if err != nil {
		return err
	}
	for _, warning := range Warnings(cfg) {
		fmt.Fprintln(w, warning)
	}
	_, err = fmt.Fprintf(w, "%s: ok: %s, %s, %s\n", path,
		count(len(cfg.Neighbors), "neighbor"), count(len(cfg.Tunnels), "tunnel"), count(len(cfg.Statics), "static route"))
	return err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
