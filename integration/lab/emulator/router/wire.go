package router

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/nvad/nvad/integration/rawbgp"
)

// wireLog reads the MRT file to which GoBGP writes every UPDATE as received. GoBGP removes
// LOCAL_PREF from eBGP routes before they enter its tables, so only this file shows whether
// a neighbor wrongly sent one.
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

// wireLogFile is a relative path, because GoBGP treats the name as a time layout and would
// interpret digits in a directory's name.
const wireLogFile = "wire.mrt"

// noRotation keeps GoBGP from starting a new file during the life of a lab.
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

// restore puts the LOCAL_PREFs back into the routes of one neighbor. It leaves out a route
// whose UPDATE is not in the log yet.
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

// Sizes of RFC 6396: the header of a record, and of a message in it, without addresses.
const (
	mrtHeader = 12
	mrtAS2    = 8
	mrtAS4    = 12
)

// read reads what was logged since the last call.
func (w *wireLog) read() error {
	data, err := os.ReadFile(wireLogFile)
	if err != nil {
		return err
	}
	for data = data[w.offset:]; len(data) >= mrtHeader; {
		size := mrtHeader + int(binary.BigEndian.Uint32(data[8:]))
		if len(data) < size {
			return nil
		}
		if err := w.take(binary.BigEndian.Uint32(data[4:]), data[mrtHeader:size]); err != nil {
			return fmt.Errorf("%s: %w", wireLogFile, err)
		}
		data, w.offset = data[size:], w.offset+size
	}
	return nil
}

// take adds a record, if it is an UPDATE of an IPv4 neighbor (RFC 6396 4.4.2).
func (w *wireLog) take(kind uint32, b []byte) error {
	head := 0
	switch kind {
	case 16<<16 | 1: // BGP4MP_MESSAGE
		head = mrtAS2
	case 16<<16 | 4: // BGP4MP_MESSAGE_AS4
		head = mrtAS4
	}
	message := head + 4 + 4
	if head == 0 || len(b) < message+rawbgp.HeaderLen || b[head-1] != 1 || b[message+rawbgp.HeaderLen-1] != rawbgp.TypeUpdate {
		return nil
	}
	update, err := rawbgp.ParseUpdate(b[message+rawbgp.HeaderLen:])
	if err != nil {
		return err
	}
	neighbor := netip.AddrFrom4([4]byte(b[head:]))
	var pref *uint32
	if n, err := strconv.ParseUint(update.Attrs["local-pref"], 10, 32); err == nil {
		pref = new(uint32)
		*pref = uint32(n)
	}
	for _, prefix := range update.Announced {
		w.localPref[wireKey{neighbor, prefix}] = pref
	}
	w.updates = append(w.updates, Update{Neighbor: neighbor, Announced: update.Announced, Withdrawn: update.Withdrawn})
	return nil
}
