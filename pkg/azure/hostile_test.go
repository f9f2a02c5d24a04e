package azure

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// The values from which arbitrary snapshots are made: some refer to each other, some are
// what nobody expects.
var (
	oddWords = func() []string {
		w := sound()
		words := []string{"", "/", "x", "\x00", "RouteServerSubnet", "Connected", "VirtualApplianceEcmp", "User", "Default", "ExpressRoute", "Vpn", "0-65535", "4789", "99999-1", "Udp", "a-b-c"}
		for _, v := range w.s.VNets {
			words = append(words, v.ID, v.Name)
			for _, s := range v.Subnets {
				words = append(words, s.ID, s.Name)
			}
		}
		return append(words, w.s.VM.ID, w.s.NICs[0].ID, w.rs().ID, w.conn(0).ID, string(WhatVNet), string(WhatLearned), string(WhatNIC))
	}()
	oddAddrs    = []netip.Addr{{}, nva1, nva2, rs0, rs1, farNVA, ip("0.0.0.0"), ip("255.255.255.255"), ip("2001:db8::1"), ip("fe80::1%eth0"), ip("::ffff:10.0.0.4")}
	oddPrefixes = append(pfxs("0.0.0.0/0", "10.0.0.0/16", "10.50.0.0/16", "10.0.1.0/26", "10.0.0.4/32", "::/0", "2001:db8::/32"), netip.Prefix{}, netip.PrefixFrom(nva1, 8), netip.PrefixFrom(nva1, 99))
	oddNumbers  = []int64{0, 1, -1, 179, 4789, 65001, 65515, 100, 99, 1 << 40, -1 << 62}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// arbitrary sets v to anything. Below a depth of eight, lists stay empty.
func arbitrary(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(taken.Add(time.Duration(r.IntN(200)-100) * time.Second)))
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(pick(r, oddAddrs)))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(pick(r, oddPrefixes)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(r, oddWords))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(pick(r, oddNumbers))
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(pick(r, oddNumbers)) & 0xffff)
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			arbitrary(r, v.Elem(), depth+1)
		}
	case reflect.Slice:
		if n := r.IntN(4); n > 0 && depth < 8 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				arbitrary(r, v.Index(i), depth+1)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			arbitrary(r, v.Field(i), depth+1)
		}
	}
}

// spoil sets one field in about fifty to anything.
func spoil(r *rand.Rand, v reflect.Value) {
	if r.IntN(50) == 0 {
		arbitrary(r, v, 5)
		return
	}
	switch v.Interface().(type) {
	case time.Time, netip.Addr, netip.Prefix:
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(r, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			spoil(r, v.Field(i))
		}
	}
}

// survive compares, and checks what holds for whatever input.
func survive(t *testing.T, s Snapshot, self Self) {
	t.Helper()
	r := Diff(s, self, Options{})
	for _, row := range r.Rows {
		if len(row.NICs) != len(r.NICs) || !row.Prefix.IsValid() {
			t.Fatalf("row %+v", row)
		}
	}
	for _, f := range r.Findings {
		if f.Code == "" || f.Reason == "" || len(f.Mend) == 0 || len(f.Prefixes) > 10 || f.PrefixCount < len(f.Prefixes) {
			t.Fatalf("finding %+v", f)
		}
	}
	if len(r.NotJudged) != len(s.Missing) {
		t.Fatalf("%d parts not judged, %d missing", len(r.NotJudged), len(s.Missing))
	}
	r.Summary()
	if _, err := json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	if len(Verify(s, self)) != len(claims) {
		t.Fatal("claims are missing")
	}
}

func anything(seed uint64) (Snapshot, Self) {
	r := rand.New(rand.NewPCG(seed, 1))
	if seed%2 == 0 {
		var s Snapshot
		var self Self
		arbitrary(r, reflect.ValueOf(&s).Elem(), 0)
		arbitrary(r, reflect.ValueOf(&self).Elem(), 0)
		return s, self
	}
	w := rich()
	pick(r, mutations[:20]).do(w)
	s, self := w.derive()
	spoil(r, reflect.ValueOf(&s).Elem())
	spoil(r, reflect.ValueOf(&self).Elem())
	return s, self
}

func TestAnything(t *testing.T) {
	survive(t, Snapshot{}, Self{})
	for seed := range uint64(4000) {
		s, self := anything(seed)
		survive(t, s, self)
	}
}

func FuzzDiff(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) {
		s, self := anything(seed)
		survive(t, s, self)
	})
}

// TestHostileSizes has far more of everything than Azure allows.
func TestHostileSizes(t *testing.T) {
	const many = 2000
	w := rich()
	host := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 10, byte(i >> 8), byte(i)}) }
	for i := range many {
		p := netip.PrefixFrom(host(i), 32)
		name := fmt.Sprint("n", i)
		w.s.NVAs = append(w.s.NVAs, VM{ID: name, Addresses: []netip.Addr{host(i)}})
		w.rs().Connections = append(w.rs().Connections, Connection{ID: name, Name: name, Peer: host(i), ASN: 65001, Instances: []Instance{{Address: rs0, Learned: []PeerRoute{{Prefix: p}}}}})
		w.vnet(0).Peerings = append(w.vnet(0).Peerings, Peering{Name: name, Remote: name, Space: []netip.Prefix{p}})
		w.s.VNets = append(w.s.VNets, VNet{ID: name, Name: name, Space: []netip.Prefix{p}, Peerings: []Peering{{Name: name, Remote: w.s.VNets[0].ID, UseRemoteGateways: true}}})
		w.self.Tunnels[0].Remotes = append(w.self.Tunnels[0].Remotes, host(i))
		w.deny(name, i%2 == 0, "Udp", "4789", 100+i)
		w.s.Gateways = append(w.s.Gateways, Gateway{ID: name, VNet: w.s.VNets[0].ID, Type: "Vpn"})
		w.s.Missing = append(w.s.Missing, Missing{ID: name, What: WhatNVAs})
		w.sendRoute(SelfRoute{Prefix: p, NextHop: host(i), ASPath: []uint32{65001}})
	}
	s, self := w.derive()
	hop := EffectiveRoute{Source: "VirtualNetworkGateway", Active: true, Prefixes: pfxs("10.50.0.0/16")}
	for i := range many {
		hop.NextHops = append(hop.NextHops, host(i))
		s.NICs[0].Routes = append(s.NICs[0].Routes, hop)
	}
	start := time.Now()
	survive(t, s, self)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}
