package wire

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestHostileOpens decodes OPENs whose optional parameters are random octets, most of them
// in the form of capabilities. Errors must be faults with a code. An OPEN that is accepted
// must be the same when it is encoded anew for GoBGP.
func TestHostileOpens(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 50_000 {
		body := []byte{4, 0xfd, 0xea, 0, 90, 10, 0, 0, 2}
		var caps []byte
		for range r.IntN(6) {
			value := make([]byte, r.IntN(12))
			for i := range value {
				value[i] = byte(r.Uint32())
			}
			caps = append(append(caps, byte(r.IntN(80)), byte(len(value)+r.IntN(8)/7)), value...)
		}
		body = append(body, byte(len(caps)+2), 2, byte(len(caps)))
		o, err := ParseOpen(NewMessage(TypeOpen, append(body, caps...)))
		if f, ok := err.(*Fault); err != nil && (!ok || f.Code == 0 || strings.HasPrefix(f.Reason, "OPEN cannot be decoded")) {
			t.Fatalf("%x: %v", caps, err)
		}
		if err != nil {
			continue
		}
		taken++
		own := o.Stripped()
		again, err := ParseOpen(own)
		if err != nil || again.ASN != o.ASN || again.HoldTime != o.HoldTime || again.ID != o.ID {
			t.Fatalf("%x became %x: %v", caps, own, err)
		}
	}
	if taken < 1000 {
		t.Errorf("only %d were taken", taken)
	}
}
