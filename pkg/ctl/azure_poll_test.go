package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
)

// nvad decides whether Azure is asked. If it is, nvad gets the answer.
func TestAzurePoll(t *testing.T) {
	d, f := hub00(), newFakeAzure(t)
	socket := serve(t, d)
	d.NotDue = "azure.poll is 0 (off)"
	if r := f.run(t.Context(), socket, "azure", "poll"); r.code != 0 || r.err != "" || r.out != "not asked: azure.poll is 0 (off)\n" {
		t.Errorf("not due: %+v", r)
	}
	if f.asked.Routes || f.options.Progress != nil {
		t.Error("Azure was asked although no poll is due")
	}
	d.NotDue = ""
	if r := f.run(t.Context(), socket, "azure", "poll"); r.code != 0 || r.err != "" || !strings.Contains(r.out, " finding") {
		t.Errorf("due: %+v", r)
	}
	if want := (arm.Ask{Routes: true}); !reflect.DeepEqual(f.asked, want) {
		t.Errorf("asked %+v", f.asked)
	}
	// The first fate is the one with findings: hub00 sends the prefix, and its Azure lacks it.
	p := d.Polled()
	if !p.Taken.Equal(f.snapshot.Taken) || len(p.Fates) < 2 || p.Findings == 0 {
		t.Fatalf("nvad got %+v", p)
	}
	if got := fmt.Sprint(p.Fates[0].Prefixes, p.Fates[0].Unlearned); got != "[10.110.0.0/16] [10.0.210.4]" || p.Fates[0].Findings[0].Code != string(azure.NotLearned) {
		t.Errorf("nvad got first %+v", p.Fates[0])
	}
	if r := nvactl(t, socket, "az", "pol"); r.code == 0 {
		t.Error("an abbreviation changes something")
	}
}

// nvad learns of a poll that failed, why it did, and the caller too.
func TestAzurePollFails(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*fakeAzure)
		args    string
		want    string
	}{
		"refused": {func(f *fakeAzure) { f.err = errors.New("the identity lacks\nMicrosoft.Network/networkInterfaces/read") }, "",
			"the identity lacks Microsoft.Network/networkInterfaces/read"},
		"a long answer": {func(f *fakeAzure) { f.err = errors.New(strings.Repeat("ü", 5000)) }, "", strings.Repeat("ü", azure.MaxPollText/2)},
		"no answer": {func(f *fakeAzure) { f.hangs = true }, "--timeout 50ms",
			"time ran out while waiting for effective routes: context deadline exceeded (--timeout is 50ms)"},
	} {
		t.Run(name, func(t *testing.T) {
			d, f := hub00(), newFakeAzure(t)
			c.prepare(f)
			r := f.run(t.Context(), serve(t, d), append([]string{"azure", "poll"}, strings.Fields(c.args)...)...)
			if r.code != 1 || !strings.HasPrefix(strings.Join(strings.Fields(r.err), " "), "nvactl: "+c.want) {
				t.Errorf("%+v", r)
			}
			if got := d.Commands(); len(got) != 2 || got[1] != fmt.Sprintf("end azure poll, 0 prefixes, 0 findings, %q", c.want) {
				t.Errorf("nvad got %q", got)
			}
		})
	}
}

// A poll that is stopped is reported; one that could overlap the next does not begin.
func TestAzurePollEnds(t *testing.T) {
	d, f := hub00(), newFakeAzure(t)
	socket := serve(t, d)
	if r := f.run(t.Context(), socket, "azure", "poll", "--timeout", "5m"); r.code != 1 || !strings.Contains(r.err, "4m0s at most") || len(d.Commands()) > 0 {
		t.Errorf("%+v, %q", r, d.Commands())
	}
	f.hangs = true
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r := f.run(ctx, socket, "azure", "poll"); r.code != 1 || len(d.Commands()) != 2 {
		t.Errorf("%+v, nvad got %q", r, d.Commands())
	}
}

// The message for nvad fits, whatever is in it; what does not fit is counted.
func TestPollMessage(t *testing.T) {
	for name, one := range map[string]azure.Fate{
		"short": {Effective: "x"},
		"long":  {Effective: strings.Repeat("x", azure.MaxPollText), Findings: []azure.Cause{{Code: "c", Reason: strings.Repeat("y", 900)}}},
	} {
		p := azure.Poll{LeftOut: 7}
		for i := range azure.MaxPolled {
			f := one
			f.Prefixes = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i >> 8), byte(i)}), 32)}
			f.Effective = fmt.Sprint(i) + f.Effective[:max(len(f.Effective)-4, 1)]
			p.Fates = append(p.Fates, f)
		}
		m := pollMessage(p)
		if n := proto.Size(m); n > reportSize || n < reportSize/2 {
			t.Errorf("%s: %d octets", name, n)
		}
		if n := prefixesOf(m); n != azure.MaxPolled+7 || m.GetLeftOut() <= 7 || m.GetFates()[0].GetPrefixes()[0] != "10.200.0.0/32" {
			t.Errorf("%s: %d prefixes, %d left out", name, n, m.GetLeftOut())
		}
	}
	all := azure.Fate{Effective: "all the same"}
	for i := range azure.MaxPolled {
		all.Prefixes = append(all.Prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i >> 8), byte(i)}), 32))
	}
	if m := pollMessage(azure.Poll{Fates: []azure.Fate{all}}); m.GetLeftOut() != 0 || proto.Size(m) > reportSize {
		t.Errorf("of %d prefixes with one fate, %d are left out, %d octets", azure.MaxPolled, m.GetLeftOut(), proto.Size(m))
	}
}
