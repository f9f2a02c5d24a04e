// Package config reads nvad.toml into a validated [Config], prints a Config in its
// normalised form, and compares two of them.
//
// It promises to report all errors of a file together, each with file, line and
// key, and that nvad can run every Config that it returns without error. A file
// that Print wrote parses to the same Config.
//
// A neighbor inherits the keys of its peer-group and overrides them one by one; a
// table such as import is overridden as a whole. Times are whole seconds, written as
// an integer or as a duration ("90s").
//
// Each topic has a file with its types, keys, defaults, checks and warnings. A key
// is declared once, as a [tomlfile.Field]; package tomlfile reads, prints, compares
// and documents it. The package owns no state and reads no file but the one it is
// given.
package config

import (
	"fmt"
	"io"
	"net/netip"
	"reflect"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/policy"
)

// Config is a valid configuration: defaults are filled in, references resolved, and
// peer-groups merged into their neighbors. Nobody changes a Config once it was returned.
type Config struct {
	ASN      uint32
	RouterID netip.Addr

	Daemon        Daemon
	Kernel        Kernel
	Journal       Journal
	Limits        Limits
	Drain         Drain
	Health        Health
	Azure         Azure
	API           API
	Metrics       Metrics
	BMP           []BMP // monitoring stations
	Tunnels       []Tunnel
	NICs          []NIC
	Statics       []Static
	Masquerades   []nat.Masquerade
	SNATs         []nat.SNAT
	DNATs         []nat.DNAT
	Networks      []Network
	Aggregates    []Aggregate
	Redistributes []Redistribute
	Groups        map[string]Group // only for display: Neighbors are complete without them
	Neighbors     []Neighbor
	Ranges        []Range // of dynamic neighbors
	Policies      policy.Library

	source tomlfile.Source
}

// tables lists all tables of nvad.toml in the order of the normalised form, except
// those of neighbors and policies, which follow.
var tables = []tomlfile.Section[Config]{
	identityTable, daemonTable, kernelTable, journalTable, limitsTable, drainTable, healthTable, azureTable, apiTable, metricsTable,
	bmpTable, tunnelTable, nicTable, staticTable, masqueradeTable, snatTable, dnatTable,
	networkTable, aggregateTable, redistributeTable,
}

// Errors and Error are the faults of a file; Load, Read and Parse return them.
type (
	Errors = tomlfile.Errors
	Error  = tomlfile.Error
)

// Default returns the configuration of an empty file, if such a file were valid.
func Default() *Config {
	return &Config{Daemon: defaultDaemon, Kernel: defaultKernel, Journal: defaultJournal, Drain: defaultDrain}
}

// Load reads the file at path. The error is [Errors].
func Load(path string) (*Config, error) {
	data, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Read returns the text of the file at path. The error is [Errors].
func Read(path string) ([]byte, error) { return tomlfile.ReadFile(path) }

// Parse reads a configuration; name is the file's name in errors. The error is
// [Errors] with all faults of the file, or with the first one if it is not TOML.
func Parse(name string, data []byte) (*Config, error) {
	file, err := tomlfile.Parse(name, data, tomlfile.SecretKeys(settingsFields(&Settings{})))
	if err != nil {
		return nil, err
	}
	cfg := read(file)
	cfg.source = file.Doc.Source
	check(cfg, file.Doc)
	if err := file.Doc.Err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

func read(file *tomlfile.Table) *Config {
	cfg := Default()
	for _, t := range tables {
		t.Read(file, cfg)
	}
	readNeighbors(file, cfg)
	for _, k := range listKinds {
		k.read(file, &cfg.Policies)
	}
	cfg.Policies.RouteMaps = readRouteMaps(file)
	addPresets(cfg, file.Doc)
	file.Done()
	return cfg
}

// Check reads the file at path and writes its warnings and a summary to w. The
// error is that of [Load].
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

// Equal reports whether c and d have the same settings, wherever their keys are in
// their files.
func (c *Config) Equal(d *Config) bool {
	if c == nil || d == nil {
		return c == d
	}
	a, b := *c, *d
	a.source, b.source = tomlfile.Source{}, tomlfile.Source{}
	return reflect.DeepEqual(a, b)
}
