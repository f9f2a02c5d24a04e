package router

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/mrt"
)

// wireLog reads the MRT file to which GoBGP writes every UPDATE as received.
// GoBGP removes LOCAL_PREF from eBGP routes before its tables can show it, so
// whether a neighbor wrongly sent one is only to be seen there.
type wireLog struct {
	mu        sync.Mutex
	offset    int
	localPref map[wireKey]*uint32
	updates   []Update
}

type wireKey struct {
	neighbor netip.Addr
	prefix   netip.Prefix
}

// wireLogFile is relative because GoBGP takes the name for a time layout, in
// which digits of a directory's name would mean something.
const wireLogFile = "wire.mrt"

// noRotation keeps GoBGP from starting a new file for as long as a lab can last.
const noRotation = 1 << 30

func (r *Router) logWire(ctx context.Context) error {
	if !r.config.WireLog {
		return nil
	}
	r.wire = &wireLog{localPref: map[wireKey]*uint32{}}
	request := &api.EnableMrtRequest{
		DumpType:         api.EnableMrtRequest_DUMP_TYPE_UPDATES,
		Filename:         wireLogFile,
		RotationInterval: noRotation,
	}
	if err := r.server.EnableMrt(ctx, request); err != nil {
		return fmt.Errorf("log to %s: %w", wireLogFile, err)
	}
	return nil
}

// restore puts the LOCAL_PREFs back into routes of one neighbor. A route whose
// UPDATE is not in the log yet is left out.
func (w *wireLog) restore(routes []Route) ([]Route, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.read(); err != nil {
		return nil, err
	}
	logged := routes[:0]
	for _, r := range routes {
		pref, ok := w.localPref[wireKey{r.Neighbor, r.Prefix}]
		if !ok {
			continue
		}
		if r.LocalPref = pref; pref != nil {
			r.Attributes = append(r.Attributes, "local_pref")
		}
		logged = append(logged, r)
	}
	return logged, nil
}

// Seen lists every prefix that neighbor has ever announced, in this session or
// an earlier one.
func (r *Router) Seen(neighbor netip.Addr) ([]netip.Prefix, error) {
	if r.wire == nil {
		return nil, fmt.Errorf("router %s keeps no record", r.config.ID)
	}
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	if err := r.wire.read(); err != nil {
		return nil, err
	}
	prefixes := []netip.Prefix{}
	for key := range r.wire.localPref {
		if key.neighbor == neighbor {
			prefixes = append(prefixes, key.prefix)
		}
	}
	slices.SortFunc(prefixes, comparePrefix)
	return prefixes, nil
}

// read takes in what was logged since it was last called.
func (w *wireLog) read() error {
	data, err := os.ReadFile(wireLogFile)
	if err != nil {
		return err
	}
	for data = data[w.offset:]; len(data) >= mrt.MRT_COMMON_HEADER_LEN; {
		header, err := mrt.ParseHeader(data)
		if err != nil {
			return fmt.Errorf("%s: %w", wireLogFile, err)
		}
		size := mrt.MRT_COMMON_HEADER_LEN + int(header.Len)
		if len(data) < size {
			return nil
		}
		message, err := mrt.ParseBody(data[mrt.MRT_COMMON_HEADER_LEN:size], header)
		if err != nil {
			return fmt.Errorf("%s: %w", wireLogFile, err)
		}
		w.take(message)
		data, w.offset = data[size:], w.offset+size
	}
	return nil
}

func (w *wireLog) take(message *mrt.MRTMessage) {
	body, ok := message.Body.(*mrt.BGP4MPMessage)
	if !ok {
		return
	}
	update, ok := body.BGPMessage.Body.(*bgp.BGPUpdate)
	if !ok {
		return
	}
	var pref *uint32
	for _, a := range update.PathAttributes {
		if a, ok := a.(*bgp.PathAttributeLocalPref); ok {
			pref = &a.Value
		}
	}
	logged := Update{Neighbor: body.PeerIpAddress, Announced: prefixesOf(update.NLRI), Withdrawn: prefixesOf(update.WithdrawnRoutes)}
	for _, prefix := range logged.Announced {
		w.localPref[wireKey{body.PeerIpAddress, prefix}] = pref
	}
	w.updates = append(w.updates, logged)
}

func prefixesOf(list []bgp.PathNLRI) (prefixes []netip.Prefix) {
	for _, nlri := range list {
		if p, ok := nlri.NLRI.(*bgp.IPAddrPrefix); ok {
			prefixes = append(prefixes, p.Prefix)
		}
	}
	return prefixes
}
