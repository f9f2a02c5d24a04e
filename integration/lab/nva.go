package lab

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Kind is the routing software of an NVA.
type Kind string

// The kinds of NVA.
const (
	// Nvad runs nvad, which makes its tunnel itself.
	Nvad Kind = "nvad"
	// FRR runs FRRouting.
	FRR Kind = "frr"
	// BIRD runs BIRD 2.
	BIRD Kind = "bird"
	// None runs nothing.
	None Kind = "none"
)

// NVA says what runs on an NVA.
type NVA struct {
	Kind Kind
	// Config is the configuration file. Where it is empty, FRR and BIRD get
	// the scenario's own from testdata, nvad configs/VNET.toml.
	Config string
	// Script is a shell script that sets up devices before the NVA starts,
	// for kinds that don't do so themselves. Where it is empty it is the
	// scenario's own.
	Script string
	// Binary is nvad's.
	Binary string
}

// testdata holds, per scenario, what FRR and BIRD NVAs need: VM.frr.conf,
// VM.bird.conf and VM.sh. FRR's files of two-hubs are the article's, unchanged.
//
//go:embed testdata
var testdata embed.FS

// nvaFile finds a configuration file of an NVA: the one asked for, or the
// scenario's own, copied into the state directory.
func (l *Lab) nvaFile(asked string, vm VM, suffix string) (string, error) {
	if asked != "" {
		return filepath.Abs(asked)
	}
	data, err := fs.ReadFile(testdata, path.Join("testdata", l.Options.Scenario, vm.Name+suffix))
	if err != nil {
		return "", err
	}
	file := l.path("conf", vm.Name+suffix)
	return file, os.WriteFile(file, data, 0o644)
}

// nvaOf returns a VNet's NVA and what is to run on it.
func (l *Lab) nvaOf(vnet string) (VM, NVA, error) {
	v, ok := l.Topology.vnet(vnet)
	if !ok || len(v.NVAs()) == 0 {
		return VM{}, NVA{}, fmt.Errorf("VNet %q has no NVA", vnet)
	}
	return v.NVAs()[0], l.Options.NVAs[vnet], nil
}

// prepareNVA sets up devices for kinds that need it done.
func (l *Lab) prepareNVA(vnet string) error {
	vm, nva, err := l.nvaOf(vnet)
	if err != nil {
		return err
	}
	switch {
	case nva.Kind == Nvad || nva.Kind == None || nva.Kind == "":
		return nil
	case nva.Kind == FRR:
		if err := l.prepareFRR(vm); err != nil {
			return err
		}
	}
	script, err := l.nvaFile(nva.Script, vm, ".sh")
	if err != nil {
		return err
	}
	_, err = l.Output(vm.Name, "sh", "-e", script)
	return err
}

// StartNVA starts the routing software of a VNet's NVA, at first or after it
// was stopped or killed.
func (l *Lab) StartNVA(vnet string) error {
	vm, nva, err := l.nvaOf(vnet)
	if err != nil {
		return err
	}
	switch nva.Kind {
	case Nvad:
		return l.startNvad(vnet, vm, nva)
	case FRR:
		return l.startFRR(vm, nva)
	case BIRD:
		file, err := l.nvaFile(nva.Config, vm, ".bird.conf")
		if err != nil {
			return err
		}
		return l.spawn(vm.Name, vm.Name, "bird", "-f", "-c", file, "-s", l.socket(vm.Name))
	case None, "":
		return nil
	default:
		return fmt.Errorf("unknown kind of NVA %q", nva.Kind)
	}
}

// StopNVA ends the routing software of a VNet's NVA as a service manager would.
func (l *Lab) StopNVA(vnet string) error { return l.endNVA(vnet, syscall.SIGTERM) }

// KillNVA kills the routing software of a VNet's NVA.
func (l *Lab) KillNVA(vnet string) error { return l.endNVA(vnet, syscall.SIGKILL) }

func (l *Lab) endNVA(vnet string, sig syscall.Signal) error {
	vm, nva, err := l.nvaOf(vnet)
	if err != nil {
		return err
	}
	names := []string{vm.Name}
	if nva.Kind == FRR {
		names = frrProcesses(vm)
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, l.end(name, sig))
	}
	return errors.Join(errs...)
}

// SignalNVA sends a signal to the process of a VNet's NVA.
func (l *Lab) SignalNVA(vnet string, sig syscall.Signal) error {
	vm, _, err := l.nvaOf(vnet)
	if err != nil {
		return err
	}
	p, running := l.process(vm.Name)
	if !running {
		return fmt.Errorf("%s is not running", vm.Name)
	}
	return syscall.Kill(p.PID, sig)
}

// NVASocket is the path of nvad's socket on a VNet's NVA.
func (l *Lab) NVASocket(vnet string) string { return l.path("sock", "nvad-"+vnet) }

func (l *Lab) startNvad(vnet string, vm VM, nva NVA) error {
	config := nva.Config
	if config == "" {
		config = filepath.Join("configs", vnet+".toml")
	}
	config, err := filepath.Abs(config)
	if err != nil {
		return err
	}
	return l.spawn(vm.Name, vm.Name, nva.Binary, "--config", config, "--socket", l.NVASocket(vnet))
}

// NVALog returns what the NVA of a VNet has logged.
func (l *Lab) NVALog(vnet string) string {
	vm, nva, err := l.nvaOf(vnet)
	if err != nil {
		return ""
	}
	names := []string{vm.Name}
	if nva.Kind == FRR {
		names = frrProcesses(vm)
	}
	var text strings.Builder
	for _, name := range names {
		data, _ := os.ReadFile(l.path("log", name+".log"))
		text.Write(data)
	}
	return text.String()
}
