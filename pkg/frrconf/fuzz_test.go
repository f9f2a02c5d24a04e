package frrconf

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

// FuzzConvert checks that no input panics, that every line is accounted for,
// and that a result which nvad does not accept says so.
func FuzzConvert(f *testing.F) {
	for _, tt := range golden {
		in := input(f, tt.name, "")
		f.Add(in.FRR, in.Interfaces, in.VXLANScript)
	}
	f.Add([]byte("router bgp 1\n neighbor ::1 remote-as 1\nroute-map a permit 1\n set x\n"), []byte("iface a inet dhcp\n"), []byte("ip route add\n"))
	f.Fuzz(func(t *testing.T, frr, interfaces, script []byte) {
		in := Input{FRR: frr, Interfaces: interfaces, VXLANScript: script}
		accounted(t, in)
		cfg, left, err := Convert(in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = config.Parse("nvad.toml", Render(cfg, left))
		if told := strings.Contains(text(left), "does not accept"); (err != nil) != told {
			t.Errorf("told: %t, but Parse says: %v", told, err)
		}
	})
}
