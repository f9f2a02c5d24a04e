package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/ctl"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/tunnel"
)

// patience is how long after Azure's last answer the comparison may take.
const patience = 5 * time.Second

// TestNvactl injects each fault and runs nvactl as an operator does, against a daemon and
// over TLS: it prints the fault's code, in JSON and in words, and its exit code says whether
// anything is wrong.
func TestNvactl(t *testing.T) {
	for _, f := range append([]fault{{}}, faults...) {
		t.Run(f.name(), func(t *testing.T) {
			w := newWorld()
			want := []azure.Code{}
			if f.inject != nil {
				f.inject(t, w)
				want = append(want, f.code)
			}
			socket := w.daemon(t)
			served.Store(w.server())
			var r azure.Report
			out, code := nvactl(t, socket, w, "diff", "-o", "json")
			late := time.Since(time.Unix(0, answered.Load()))
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatalf("exit code %d, %v:\n%s", code, err, out)
			}
			wantCodes(t, "nvactl azure diff", r, want...)
			if wrong := f.inject != nil && !f.info; code != 0 != wrong {
				t.Errorf("exit code %d", code)
			}
			if late > patience {
				t.Errorf("%v after Azure's last answer", late)
			}
			if f.large {
				return
			}
			text, again := nvactl(t, socket, w, "diff")
			if again != code || !bytes.Contains(text, []byte(f.code)) {
				t.Errorf("exit code %d, then %d, with\n%s", code, again, text)
			}
		})
	}
}

// TestSelf: nvactl finds out from the daemon exactly what these tests compare with.
func TestSelf(t *testing.T) {
	w := newWorld()
	socket := w.daemon(t)
	served.Store(w.server())
	out, code := nvactl(t, socket, w, "snapshot", "--routes")
	var saved struct {
		Nvad azure.Self
	}
	if err := json.Unmarshal(out, &saved); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if want := w.self(w.model().Moment()); !reflect.DeepEqual(saved.Nvad, want) {
		t.Errorf("nvactl says\n%+v\nwant\n%+v", saved.Nvad, want)
	}
}

// nvactl runs a command of nvactl azure about the world's NVA and returns what it printed.
func nvactl(t *testing.T, socket string, w *world, args ...string) ([]byte, int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := ctl.Env{Out: &out, Err: &errs, Now: time.Now, Width: 80, Getenv: func(name string) string {
		return map[string]string{"NVAD_SOCKET": socket}[name]
	}}
	args = append([]string{"azure"}, args...)
	args = append(args, "--cloud", "AzurePublicCloud", "--identity", "cli", "--vm", w.ids.vm, "--spoke", w.ids.spokeNIC)
	code := ctl.Run(context.Background(), env, args)
	if out.Len() == 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	return out.Bytes(), code
}

// daemon serves a daemon that says of itself what the world's nvad is, and returns the path
// of its socket.
func (w *world) daemon(t *testing.T) string {
	t.Helper()
	return apitest.Serve(t, picture(w.self(w.model().Moment())), telemetry.BuildInfo{})
}

// picture is a daemon that answers with self.
func picture(self azure.Self) *apitest.Daemon {
	d := &apitest.Daemon{
		At:     api.Status{Host: "vm-hub00", Status: engine.Status{ASN: self.ASN, RouterID: nvaAddress, InSync: true}},
		Tables: map[engine.Table][]engine.Path{},
	}
	for _, n := range self.Neighbors {
		state := speaker.Active
		if n.Established {
			state = speaker.EstablishedState
		}
		d.Peers = append(d.Peers, api.Neighbor{NeighborStatus: engine.NeighborStatus{
			NeighborSample: engine.NeighborSample{Address: n.Address, RemoteASN: azure.RouteServerASN, State: state}, LocalASN: n.LocalASN, Reason: n.Reason,
		}})
		d.Tables[engine.AdjRIBOut] = append(d.Tables[engine.AdjRIBOut], paths(n.Address, n.Sent)...)
		d.Tables[engine.AdjRIBIn] = append(d.Tables[engine.AdjRIBIn], paths(n.Address, n.Received)...)
	}
	for _, b := range self.BFD {
		d.Peers = append(d.Peers, api.Neighbor{
			NeighborStatus: engine.NeighborStatus{NeighborSample: engine.NeighborSample{Address: b.Address, RemoteASN: 65001, State: speaker.EstablishedState}},
			BFD:            &bfd.Status{Key: bfd.Key{Local: nvaAddress, Remote: b.Address, Multihop: b.Port == 4784}, State: bfd.Up},
		})
	}
	for _, s := range self.Tunnels {
		d.Devices = append(d.Devices, api.Tunnel{Status: tunnel.Status{Tunnel: tunnel.Tunnel{Name: s.Name, Port: s.Port, Remotes: s.Remotes, Local: s.Local}, State: "up"}})
	}
	return d
}

func paths(neighbor netip.Addr, routes []azure.SelfRoute) []engine.Path {
	var out []engine.Path
	for _, r := range routes {
		a := &route.Attrs{ASPath: route.NewASPath(r.ASPath...), NextHop: r.NextHop}
		if r.NoAdvertise {
			a.Communities = []route.Community{route.NoAdvertise}
		}
		out = append(out, engine.Path{Path: rib.Path{Prefix: r.Prefix, Neighbor: neighbor}, Attrs: a})
	}
	return out
}
