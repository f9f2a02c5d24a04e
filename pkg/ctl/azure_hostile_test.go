package ctl

import (
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/engine"
)

// poisoned adds poison to every text within v.
func poisoned(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + poison)
	case reflect.Pointer:
		if !v.IsNil() {
			poisoned(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			poisoned(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(reflect.ValueOf(k.String()+poison), reflect.ValueOf(v.MapIndex(k).String()+poison))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				poisoned(v.Field(i))
			}
		}
	}
}

// TestAzurePoison: no text of Azure, of a neighbor or of a snapshot that somebody sent
// steers the terminal.
func TestAzurePoison(t *testing.T) {
	f := newFakeAzure(t)
	t.Chdir(ownDirectory(t))
	poisoned(reflect.ValueOf(&f.snapshot).Elem())
	shown := 0
	for _, socket := range []string{serve(t, hub00()), impostor(t)} {
		for _, args := range []string{"show", "diff --all", "verify", "snapshot --routes", "register --asn 65001", "register --asn 65002", "register --route-server x"} {
			for _, format := range []string{"table", "json"} {
				r := f.run(t.Context(), socket, append(strings.Fields("azure "+args), "-o", format)...)
				steers(t, args+" as "+format, r.out+r.err)
				if strings.Contains(r.out+r.err, "gone") {
					shown++
				}
			}
		}
	}
	r := badReport()
	poisoned(reflect.ValueOf(r).Elem())
	steers(t, "a report", printed(func(a *app) { a.printReport(r, true) }))
	if shown < 15 {
		t.Errorf("only %d commands showed what Azure sent", shown)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files: %v, %v", left, err)
	}
}

// TestAzureRoutesBounded: a neighbor can't fill the memory of nvactl.
func TestAzureRoutesBounded(t *testing.T) {
	d := hub00()
	one := d.Tables[engine.AdjRIBIn][0]
	d.Tables[engine.AdjRIBIn] = nil
	for i := range mostSelfRoutes + 1 {
		one.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		d.Tables[engine.AdjRIBIn] = append(d.Tables[engine.AdjRIBIn], one)
	}
	wantError(t, newFakeAzure(t).run(t.Context(), serve(t, d), "azure", "diff"),
		"nvad's side is missing: neighbor 10.0.210.4 has more than 100000 routes, Route Server has at most 10000")
}
