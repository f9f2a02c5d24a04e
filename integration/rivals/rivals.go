// Package rivals runs the versions of FRR and BIRD that nvad is tested with and measured
// against: those of Debian 12, which are packages of the machine that runs the tests, and those
// of Debian 13, from a root that root.sh makes once.
//
// A program from the root gets a mount namespace of its own, in which /usr is the root's. So it
// finds its libraries and modules, uses the network namespace, the users and the files of its
// caller, at the same paths, and can be watched and killed like any other process. When it
// ends, the namespace and its mounts are gone. Nothing is ever mounted on the machine itself.
//
// The package makes command lines, and starts nothing but the making of the root. Starting
// FRR's daemons, in the right order, is up to integration/frrouting.
package rivals

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/nvad/nvad/integration/debroot"
)

// Rival is one version of FRR or BIRD.
type Rival struct {
	// Name stands in flags: "frr10.3".
	Name string
	// Title stands in tables and pages: "FRR 10.3".
	Title string

	dir    string // of the daemons
	client string // path of vtysh or birdc
	apart  bool   // from the root
}

// The rivals, the oldest of each kind first. Those without "apart" are of Debian 12.
var (
	FRR8   = Rival{Name: "frr8.4", Title: "FRR 8.4.4", dir: "/usr/lib/frr", client: "/usr/bin/vtysh"}
	FRR10  = Rival{Name: "frr10.3", Title: "FRR 10.3", dir: "/usr/lib/frr", client: "/usr/bin/vtysh", apart: true}
	BIRD20 = Rival{Name: "bird2.0", Title: "BIRD 2.0.12", dir: "/usr/sbin", client: "/usr/sbin/birdc"}
	BIRD2  = Rival{Name: "bird2.17", Title: "BIRD 2.17", dir: "/usr/sbin", client: "/usr/sbin/birdc", apart: true}
	BIRD3  = Rival{Name: "bird3.1", Title: "BIRD 3.1", dir: "/usr/lib/bird3/usr/sbin", client: "/usr/lib/bird3/usr/sbin/birdc", apart: true}
)

// All are all rivals, in the order of tables.
var All = []Rival{BIRD20, BIRD2, BIRD3, FRR8, FRR10}

// FRRs and BIRDs are the rivals of one kind.
var (
	FRRs  = []Rival{FRR8, FRR10}
	BIRDs = []Rival{BIRD20, BIRD2, BIRD3}
)

// Find returns the rival with that name. The name may be shortened: "frr10" is frr10.3, and if
// several fit, the newest is meant, so that "bird2" is bird2.17.
func Find(name string) (Rival, error) {
	for _, r := range slices.Backward(All) {
		if name != "" && strings.HasPrefix(r.Name, name) {
			return r, nil
		}
	}
	var names []string
	for _, r := range All {
		names = append(names, r.Name)
	}
	return Rival{}, fmt.Errorf("no rival %q, there are %s", name, strings.Join(names, ", "))
}

// IsFRR reports whether the rival is a version of FRR.
func (r Rival) IsFRR() bool { return strings.HasPrefix(r.Name, "frr") }

// Apart reports whether the rival is from the root, and not a package of this machine.
func (r Rival) Apart() bool { return r.apart }

// Client returns the path of the rival's client: vtysh or birdc.
func (r Rival) Client() string { return r.client }

// Daemon returns the path of one of the rival's daemons. For a rival from the root, it is valid
// only in a command line of Command.
func (r Rival) Daemon(name string) string { return filepath.Join(r.dir, name) }

// Needs lists the commands of this machine that the rival needs.
func (r Rival) Needs() []string {
	switch {
	case r.apart:
		return []string{"debootstrap", "unshare"}
	case r.IsFRR():
		return []string{r.Daemon("bgpd"), r.client}
	}
	return []string{r.Daemon("bird"), r.client}
}

// Prepare makes the root if the rival is from there and there is none. If none can be made, the
// error is a [debroot.Missing].
func (r Rival) Prepare() error {
	if !r.apart {
		return nil
	}
	_, err := root()
	return err
}

// Command returns the command line of a program, which argv names by its full path. If run is
// not empty, it is the directory that FRR sees as its run directory, where mgmtd has its
// sockets. The rival must have been prepared. The process that is started becomes the program.
func (r Rival) Command(run string, argv ...string) []string {
	if !r.apart {
		return argv
	}
	dir, err := debroot.Path(rootName, recipe)
	if err != nil {
		panic(err) // Prepare has found it
	}
	mounts := fmt.Sprintf("mount --bind %s/usr /usr && mount --bind %[1]s/etc/frr /etc/frr", dir)
	if !r.IsFRR() {
		mounts = fmt.Sprintf("mount --bind %s/usr /usr", dir)
	}
	if run != "" {
		mounts += fmt.Sprintf(" && mkdir -p %s && mount --bind %s %[1]s", frrRun, run)
	}
	return append([]string{"unshare", "--mount", "--propagation", "slave", "sh", "-c", mounts + ` && exec "$@"`, "sh"}, argv...)
}

// frrRun is FRR's run directory.
const frrRun = "/run/frr"

// Version returns the first line of what the rival's daemon prints about its version. The rival
// must have been prepared.
func (r Rival) Version() string {
	daemon := "bird"
	if r.IsFRR() {
		daemon = "bgpd"
	}
	argv := r.Command("", r.Daemon(daemon), "--version")
	text, _ := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first
}

// Whole reports whether all of a test should run with this rival. With the versions of Debian 13,
// most tests run only a part, unless NVAD_RIVALS=all is set, as `make test-rivals` does.
func (r Rival) Whole() bool { return !r.apart || os.Getenv("NVAD_RIVALS") == "all" }

//go:embed root.sh
var recipe string

// rootName is how the root is called in the cache.
const rootName = "rivals"

// root makes the root, once for each process, because many tests would try in vain.
var root = sync.OnceValues(func() (string, error) {
	_, sources, err := debroot.Sources()
	if err != nil {
		return "", err
	}
	return debroot.Get(rootName, recipe, func(dir string) error {
		return debroot.Run("sh", "-c", recipe, "root.sh", dir, sources[0].URI)
	})
})
