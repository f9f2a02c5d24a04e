package bfd

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// up is a packet of a session that is up, byte by byte.
var up = []byte{
	0x20, 0xc0, 3, 24, 0, 0, 0, 1, 0, 0, 0, 2,
	0, 0x04, 0x93, 0xe0, 0, 0x04, 0x93, 0xe0, 0, 0, 0, 0,
}

// with is up with some bytes changed: pairs of index and value.
func with(pairs ...byte) []byte {
	b := bytes.Clone(up)
	for i := 0; i < len(pairs); i += 2 {
		b[pairs[i]] = pairs[i+1]
	}
	return b
}

func TestDecode(t *testing.T) {
	wanted := packet{
		state: Up, multiplier: 3, my: 1, your: 2, desiredMinTx: 300 * time.Millisecond, requiredMinRx: 300 * time.Millisecond,
	}
	edit := func(f func(*packet)) packet {
		p := wanted
		f(&p)
		return p
	}
	tests := []struct {
		name string
		in   []byte
		want packet
		err  error
	}{
		{"up", up, wanted, nil},
		{"diagnostic", with(0, 0x23), edit(func(p *packet) { p.diag = DiagNeighborDown }), nil},
		{"poll", with(1, 0xe0), edit(func(p *packet) { p.poll = true }), nil},
		{"final", with(1, 0xd0), edit(func(p *packet) { p.final = true }), nil},
		{"independent", with(1, 0xc8), edit(func(p *packet) { p.independent = true }), nil},
		{"demand", with(1, 0xc2), edit(func(p *packet) { p.demand = true }), nil},
		{"longest interval", with(12, 0xff, 13, 0xff, 14, 0xff, 15, 0xff),
			edit(func(p *packet) { p.desiredMinTx = 0xffffffff * time.Microsecond }), nil},
		{"echo", with(23, 9), edit(func(p *packet) { p.requiredEcho = 9 * time.Microsecond }), nil},
		{"down without your discriminator", with(1, 0x40, 11, 0), edit(func(p *packet) { p.state, p.your = Down, 0 }), nil},
		{"admin down without your discriminator", with(1, 0, 11, 0), edit(func(p *packet) { p.state, p.your = AdminDown, 0 }), nil},
		{"bytes after the packet", append(with(), 1, 2, 3), wanted, nil},

		{"6.8.6 version", with(0, 0x40), packet{}, errVersion},
		{"6.8.6 version 0", with(0, 0x00), packet{}, errVersion},
		{"6.8.6 empty", nil, packet{}, errLength},
		{"6.8.6 short", up[:23], packet{}, errLength},
		{"6.8.6 length under 24", with(3, 23), packet{}, errLength},
		{"6.8.6 length under 26 with authentication", with(1, 0xc4, 3, 25), packet{}, errLength},
		{"6.8.6 length over the payload", with(3, 25), packet{}, errLength},
		{"6.8.6 multiplier", with(2, 0), packet{}, errMultiplier},
		{"6.8.6 multipoint", with(1, 0xc1), packet{}, errMultipoint},
		{"6.8.6 my discriminator", with(7, 0), packet{}, errMyDiscr},
		{"6.8.6 your discriminator in Up", with(11, 0), packet{}, errYourDiscr},
		{"6.8.6 your discriminator in Init", with(1, 0x80, 11, 0), packet{}, errYourDiscr},
		{"6.8.6 authentication", append(with(1, 0xc4, 3, 26), 1, 2), edit(func(p *packet) { p.authenticated = true }), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode(tt.in)
			if !errors.Is(err, tt.err) || got != tt.want {
				t.Fatalf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Up.String(): "Up", AdminDown.String(): "AdminDown", State(7).String(): "State(7)",
		DiagDetectionExpired.String(): "control detection time expired", Diag(31).String(): "diagnostic 31",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// FuzzDecode: what decodes is encoded to the same packet, and to the same bytes
// but for those that are ignored.
func FuzzDecode(f *testing.F) {
	f.Add(up)
	f.Add(with(1, 0x60, 11, 0))
	f.Add(append(with(1, 0xc4, 3, 26), 1, 2))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := decode(in)
		if err != nil {
			return
		}
		p.authenticated = false // the section is another's to write
		in[1] &^= bitAuth
		out := p.appendTo(nil)
		again, err := decode(out)
		if err != nil || again != p {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
		want := bytes.Clone(in[:headerLen])
		want[3] = headerLen
		if !bytes.Equal(out, want) {
			t.Fatalf("got % x, want % x", out, want)
		}
	})
}
