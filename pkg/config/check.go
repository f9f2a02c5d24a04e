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
	_, err = fmt.Fprintf(w, "%s: ok: %d neighbors, %d tunnels, %d static routes\n",
		path, len(cfg.Neighbors), len(cfg.Tunnels), len(cfg.Statics))
	return err
}
