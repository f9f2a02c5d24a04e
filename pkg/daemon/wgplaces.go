package daemon

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// places says where the peers of WireGuard tunnels are, by the names of the tunnels. nvad keeps it
// for its next run, in a file beside the keys: a peer behind NAT does not find out by itself for 15
// seconds that this end was restarted.
type places map[string]netip.AddrPort

// placesFile is the file's name, which no tunnel's key can have.
const placesFile = "endpoints"

// readPlaces reads what the last run knew. A line that makes no sense is left out: the peer will
// call.
func readPlaces(state string) places {
	out := places{}
	text, err := os.ReadFile(filepath.Join(state, keysDirectory, placesFile))
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(text)) {
		name, at, _ := strings.Cut(strings.TrimSpace(line), " ")
		if a, err := netip.ParseAddrPort(at); err == nil {
			out[name] = a
		}
	}
	return out
}

// save writes where peers are for the next run, if that changed. It leaves out tunnels that the
// configuration does not have. If it can't write, the next run waits for the peers to call.
func (w *wireguards) save(now places) {
	maps.DeleteFunc(now, func(name string, _ netip.AddrPort) bool { return w.cfg == nil || !w.cfg.HasTunnel(name) })
	if maps.Equal(now, w.saved) {
		return
	}
	w.saved = now
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(now)) {
		b.WriteString(name + " " + now[name].String() + "\n")
	}
	dir := filepath.Join(w.state, keysDirectory)
	if os.MkdirAll(dir, 0o700) == nil {
		_ = renameio.WriteFile(filepath.Join(dir, placesFile), []byte(b.String()), 0o600)
	}
}
