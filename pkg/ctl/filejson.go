package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/frrconf"
)

// finding is an error or a warning of a configuration file. Line and Key are
// those of config.Error; Code is empty for an error.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Key     string `json:"key"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// checked is what config check tells of a file.
type checked struct {
	OK       bool      `json:"ok"`
	Errors   []finding `json:"errors"`
	Warnings []finding `json:"warnings"`
}

// checkJSON prints what there is to say of a file. A file with errors is an error as
// well, so that the exit code is the same in all formats.
func checkJSON(path string, w io.Writer) error {
	cfg, fault := config.Load(path)
	v := checked{OK: fault == nil, Errors: []finding{}, Warnings: []finding{}}
	var all config.Errors
	errors.As(fault, &all)
	for _, e := range all {
		v.Errors = append(v.Errors, finding{File: e.File, Line: e.Line, Key: e.Key, Message: e.Msg})
	}
	if fault == nil {
		for _, n := range config.Warnings(cfg) {
			v.Warnings = append(v.Warnings, finding{File: n.File, Line: n.Line, Key: n.Key, Code: n.Code, Message: n.Msg})
		}
	}
	return errors.Join(fault, writeValue(w, v))
}

// leftover is a line that config convert could not carry over.
type leftover struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// conversionJSON prints a converted configuration and what it leaves over.
func conversionJSON(w io.Writer, toml []byte, left []frrconf.Leftover) error {
	out := struct {
		TOML      string     `json:"toml"`
		Leftovers []leftover `json:"leftovers"`
	}{string(toml), []leftover{}}
	for _, l := range left {
		out.Leftovers = append(out.Leftovers, leftover{l.File, l.Line, string(l.Kind), l.Reason, printable(l.Text)})
	}
	return writeValue(w, out)
}

// writeValue prints a value that is no message of the interface.
func writeValue(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(appendPlain(nil, buf.Bytes()))
	return err
}
