package daemon

import (
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/nvad/nvad/pkg/tunnel"
)

// places says where the peers of WireGuard tunnels are, by the names of the tunnels. nvad keeps it
// for its next run, in a file beside the keys: a peer behind NAT does not find out by itself for 15
// seconds that this end was restarted.
type places map[string]netip.AddrPort

// placesFile is the file's name, which no tunnel's key can have.
const placesFile = "endpoints"

// maxPlaces bounds the file, in octets: some ten thousand tunnels.
const maxPlaces = 1 << 20

// readPlaces reads what the last run knew. A line that makes no sense is left out, and so is what
// is beyond maxPlaces: the peer will call.
func readPlaces(state string) places {
	out := places{}
	f, err := os.OpenFile(filepath.Join(state, keysDirectory, placesFile), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return out
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return out
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPlaces))
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

// savePause is the time between two writes of the file. A peer can be at another port with each
// packet.
const savePause = time.Minute

// toSave returns where peers are, if the file for the next run should say so. It leaves out tunnels
// that the configuration does not have.
func (w *wireguards) toSave(status map[string]tunnel.Status, now time.Time) (places, bool) {
	list := maps.Clone(w.saved)
	for name, s := range status {
		if s.WireGuard != nil && s.Peer.Endpoint.IsValid() {
			list[name] = s.Peer.Endpoint
		}
	}
	maps.DeleteFunc(list, func(name string, _ netip.AddrPort) bool { return w.cfg == nil || !w.cfg.HasTunnel(name) })
	if maps.Equal(list, w.saved) || now.Before(w.save) {
		return nil, false
	}
	w.saved, w.save = list, now.Add(savePause)
	return list, true
}

// write writes the file. If it can't, the next run waits for the peers to call.
func (list places) write(state string) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(list)) {
		b.WriteString(name + " " + list[name].String() + "\n")
	}
	dir := filepath.Join(state, keysDirectory)
	if os.MkdirAll(dir, 0o700) == nil {
		_ = renameio.WriteFile(filepath.Join(dir, placesFile), []byte(b.String()), 0o600)
	}
}
