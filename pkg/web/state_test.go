package web

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/survey"
)

// TestSite: an NVA that is not there, and one that accepts connections and says nothing, delay
// nobody.
func TestSite(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	b := open(t, NVA{Name: "vm-hub00", Client: daemon(t, apitest.Hub00())}, NVA{Name: "gone", Client: dial(t, "unix:/nowhere/nvad.sock")},
		NVA{Name: "mute", Client: dial(t, mute.Addr().String())})
	for range 2 { // the second time, the mute one is known
		start := time.Now()
		site := ask[siteAnswer](b, "api/site")
		if took := time.Since(start); took > 3*waitTime {
			t.Errorf("it took %s", took)
		}
		if len(site.NVAs) != 3 || !site.NVAs[0].OK || site.NVAs[0].Host != "vm-hub00" || site.NVAs[0].ASN != 65001 {
			t.Errorf("got %+v", site.NVAs)
		}
		for _, n := range site.NVAs[1:] {
			if n.OK || n.Error == "" {
				t.Errorf("got %+v", n)
			}
		}
	}
}

// TestState: the state of an NVA that went away is still there, with its age.
func TestState(t *testing.T) {
	d := apitest.Hub00()
	b := open(t, NVA{Name: "vm-hub00", Client: daemon(t, d)})
	s := ask[stateAnswer](b, "api/state")
	if len(s.NVAs) != 1 || !s.NVAs[0].OK || len(s.NVAs[0].Neighbors) != 3 || len(s.NVAs[0].Tunnels) != 1 || len(s.NVAs[0].Behind) != 2 {
		t.Fatalf("got %+v", s.NVAs)
	}
	if n := s.NVAs[0].Neighbors[2]; n.Tunnel != "vxlan0" || !n.Up || n.BFD != "Up" {
		t.Errorf("got %+v", n)
	}
	if len(s.Problems) != 1 || s.Problems[0].NVA != "vm-hub00" || s.Problems[0].Mend != "nvactl routes fib --failed" {
		t.Errorf("got %+v", s.Problems)
	}
	b.get("api/state?at=yesterday", 400)
}

// TestKept: if a reading fails, the last value stays.
func TestKept(t *testing.T) {
	s := New(Params{})
	var err error
	n := 0
	k := keep(s, func(context.Context) (int, error) { n++; return n, err })
	if v, _, err := k.get(t.Context(), time.Hour); v != 1 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	if v, _, err := k.get(t.Context(), time.Hour); v != 1 || err != nil {
		t.Errorf("a young value was read again: %d, %v", v, err)
	}
	err = errors.New("gone")
	k.expire()
	if v, taken, err := k.get(t.Context(), time.Hour); v != 1 || taken.IsZero() || err == nil {
		t.Errorf("got %d, %s, %v", v, taken, err)
	}
	s.work.Wait()
}

// TestCompared: what a comparison finds is among the problems, and nobody waits for it.
func TestCompared(t *testing.T) {
	f := &fake{}
	s := New(Params{NVAs: []NVA{{Name: "one", Client: f.client(t), Sentence: error.Error}, {Name: "two", Client: f.client(t), Sentence: error.Error}},
		Compare: func(context.Context) ([]Finding, error) {
			return []Finding{{[]string{"two", "one"}, survey.Problem{Severity: "warning", Kind: "site", Text: "MTU differs"}}}, nil
		}})
	defer s.work.Wait()
	eventually(t, func() bool {
		list := s.compared(t.Context())
		return len(list) == 1 && list[0].NVA == "two" && list[0].Text == "MTU differs"
	})
}
