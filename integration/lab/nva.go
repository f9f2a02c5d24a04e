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

	"github.com/nvad/nvad/integration/rivals"
)

// Kind is the routing software of an NVA.
type Kind string

// The kinds of NVA.
const (
	// Nvad runs nvad, which turns forwarding on and creates its tunnel itself.
	Nvad Kind = "nvad"
	// CloudInit knows nothing but a file of configs/cloud-init, whose script configures and
	// starts nvad.
	CloudInit Kind = "cloud-init"
	// FRR runs FRR as this machine has it, FRR10 a newer version.
	FRR   Kind = "frr"
	FRR10 Kind = "frr10"
	// BIRD runs BIRD as this machine has it, BIRD2 and BIRD3 newer versions.
	BIRD  Kind = "bird"
	BIRD2 Kind = "bird2"
	BIRD3 Kind = "bird3"
	// Plain runs no daemon, only its script.
	Plain Kind = "plain"
	// None runs nothing.
	None Kind = ""
)

// kinds are the versions of FRR and BIRD that an NVA can run.
var kinds = map[Kind]rivals.Rival{
	FRR: rivals.FRR8, FRR10: rivals.FRR10, BIRD: rivals.BIRD20, BIRD2: rivals.BIRD2, BIRD3: rivals.BIRD3,
}

// IsNvad reports whether the NVA runs nvad.
func (k Kind) IsNvad() bool { return k == Nvad || k == CloudInit }

// IsFRR reports whether the NVA runs a version of FRR.
func (k Kind) IsFRR() bool { return kinds[k].IsFRR() }

// IsBIRD reports whether the NVA runs a version of BIRD.
func (k Kind) IsBIRD() bool { return strings.HasPrefix(string(k), string(BIRD)) }

// NVA says what runs on an NVA.
type NVA struct {
	Kind Kind
	// Config is the configuration file. By default FRR and BIRD get the scenario's file from
	// testdata, and nvad gets configs/NAME.toml of the working directory, where the VM is
	// vm-NAME.
	Config string
	// Script is a shell script that sets up devices before the NVA starts, for kinds that
	// don't do so themselves. By default it is the scenario's, if that has one.
	Script string
	// Binary is the path of nvad.
	Binary string
}

// testdata contains, for each scenario, the files that FRR and BIRD NVAs need: VM.frr.conf,
// VM.bird.conf and VM.sh. FRR's files of two-hubs are the article's, unchanged. VM.TUNNEL.key is
// the private key of one of nvad's tunnels, so that the other end can know the public one.
//
//go:embed testdata
var testdata embed.FS

// nvaFile finds a configuration file of an NVA, either the one that was asked for or the
// scenario's, which it copies into the state directory.
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

// nvaOf returns an NVA and what should run on it. The name is that of its VM, or of its VNet,
// which means the first NVA there.
func (l *Lab) nvaOf(name string) (VM, NVA, error) {
	for _, v := range l.Topology.VNets {
		for i, vm := range v.NVAs() {
			if vm.Name != name && (v.Name != name || i > 0) {
				continue
			}
			spec, ok := l.Options.NVAs[vm.Name]
			if !ok && i == 0 {
				spec = l.Options.NVAs[v.Name]
			}
			return vm, spec, nil
		}
	}
	for _, host := range l.Topology.outside() {
		if host.Name == name {
			return host, l.Options.NVAs[name], nil
		}
	}
	return VM{}, NVA{}, fmt.Errorf("no NVA %q", name)
}

// prepareNVA sets up forwarding and devices for the kinds that need it.
func (l *Lab) prepareNVA(name string) error {
	vm, nva, err := l.nvaOf(name)
	if err != nil {
		return err
	}
	if err := kinds[nva.Kind].Prepare(); err != nil {
		return err
	}
	switch {
	case nva.Kind.IsNvad() || nva.Kind == None:
		return nil
	case nva.Kind.IsFRR():
		if err := l.prepareFRR(vm); err != nil {
			return err
		}
	}
	if nva.Kind != Plain {
		if _, err := l.Output(vm.Name, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"); err != nil {
			return err
		}
	}
	script, err := l.nvaFile(nva.Script, vm, ".sh")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = l.Output(vm.Name, "sh", "-e", script)
	return err
}

// StartNVA starts the routing software of an NVA, for the first time or after it was stopped
// or killed.
func (l *Lab) StartNVA(name string) error {
	vm, nva, err := l.nvaOf(name)
	if err != nil {
		return err
	}
	switch kind := nva.Kind; {
	case kind == Nvad:
		return l.startNvad(vm, nva)
	case kind == CloudInit:
		return l.launchCloudInit(vm, nva)
	case kind.IsFRR():
		return l.startFRR(vm, nva)
	case kind.IsBIRD():
		file, err := l.nvaFile(nva.Config, vm, ".bird.conf")
		if err != nil {
			return err
		}
		bird := kinds[kind]
		return l.spawn(vm.Name, vm.Name, bird.Command("", bird.Daemon("bird"), "-f", "-c", file, "-s", l.nvaSocket(vm))...)
	case kind == Plain || kind == None:
		return nil
	default:
		return fmt.Errorf("unknown kind of NVA %q", nva.Kind)
	}
}

// StopNVA ends the routing software of an NVA as a service manager would.
func (l *Lab) StopNVA(name string) error { return l.endNVA(name, syscall.SIGTERM) }

// KillNVA kills the routing software of an NVA.
func (l *Lab) KillNVA(name string) error { return l.endNVA(name, syscall.SIGKILL) }

func (l *Lab) endNVA(name string, sig syscall.Signal) error {
	vm, nva, err := l.nvaOf(name)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range nva.processes(vm) {
		errs = append(errs, l.end(name, sig))
	}
	return errors.Join(errs...)
}

// processes returns the names of an NVA's processes in the order in which they are ended.
func (nva NVA) processes(vm VM) []string {
	if nva.Kind.IsFRR() {
		return frrProcesses(kinds[nva.Kind], vm)
	}
	return []string{vm.Name}
}

// SignalNVA sends a signal to the process of an NVA.
func (l *Lab) SignalNVA(name string, sig syscall.Signal) error {
	pid, err := l.NVAProcess(name)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// NVAProcess returns the process id of an NVA that has only one process.
func (l *Lab) NVAProcess(name string) (int, error) {
	vm, _, err := l.nvaOf(name)
	if err != nil {
		return 0, err
	}
	p, running := l.process(vm.Name)
	if !running {
		return 0, fmt.Errorf("%s is not running", vm.Name)
	}
	return p.PID, nil
}

// NVASocket returns the path of the socket on which an NVA is controlled, for nvad and BIRD.
func (l *Lab) NVASocket(name string) string {
	vm, _, err := l.nvaOf(name)
	if err != nil {
		return ""
	}
	return l.nvaSocket(vm)
}

// nvaSocket returns the path of an NVA's socket. The socket has its own directory, in which
// nvad also keeps its state.
func (l *Lab) nvaSocket(vm VM) string { return l.path("run", vm.Name, "nva.sock") }

func (l *Lab) startNvad(vm VM, nva NVA) error {
	config := nva.Config
	if config == "" {
		config = filepath.Join("configs", strings.TrimPrefix(vm.Name, "vm-")+".toml")
	}
	config, err := filepath.Abs(config)
	if err != nil {
		return err
	}
	if err := l.placeKeys(vm); err != nil {
		return err
	}
	return l.spawn(vm.Name, vm.Name, nva.Binary, "--config", config, "--socket", l.nvaSocket(vm))
}

// placeKeys puts the private keys of an NVA's tunnels where nvad would make them, unless there are
// some.
func (l *Lab) placeKeys(vm VM) error {
	keys, err := fs.Glob(testdata, path.Join("testdata", l.Options.Scenario, vm.Name+".*.key"))
	if err != nil || len(keys) == 0 {
		return err
	}
	dir := filepath.Join(filepath.Dir(l.nvaSocket(vm)), "wireguard")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, key := range keys {
		data, err := fs.ReadFile(testdata, key)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, strings.TrimPrefix(path.Base(key), vm.Name+"."))
		if _, err := os.Stat(file); err == nil {
			continue // from an earlier start, perhaps another one by now
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// NVALog returns what an NVA has logged.
func (l *Lab) NVALog(name string) string {
	vm, nva, err := l.nvaOf(name)
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, name := range nva.processes(vm) {
		data, _ := os.ReadFile(l.path("log", name+".log"))
		text.Write(data)
	}
	return text.String()
}
