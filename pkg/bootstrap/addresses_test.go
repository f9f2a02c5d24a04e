package bootstrap

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

// Whoever can tag a VM can't put another address than that of an NVA into the file: not one
// that is no host's, not Azure's own, not this NVA's, and not the Route Server's, whose
// packets would then enter the tunnel.
func TestAddressesOfNoNVA(t *testing.T) {
	for _, address := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "255.255.255.255", "168.63.129.16", "169.254.169.254", "169.254.64.9",
		"10.0.210.4", "10.0.210.5", "10.0.0.40", "fd00::1", "::ffff:10.10.0.4",
	} {
		s := hub00()
		s.NVAs[0].Addresses = addresses(address, "10.10.0.4")
		s.VM.Addresses = append(s.VM.Addresses, netip.MustParseAddr("10.0.0.40"))
		text, err := written(t, s)
		if err == nil {
			t.Errorf("%s is in the file:\n%s", address, text)
		} else if !strings.Contains(err.Error(), "vm-hub10") {
			t.Errorf("%s: the error does not name the VM: %v", address, err)
		}
	}
}

func written(t *testing.T, s azure.Snapshot) (string, error) {
	t.Helper()
	r, _, err := ask00(discovery(Discovery{Tag: siteTag}), s)
	if err != nil {
		return "", err
	}
	p, err := derive(r, "vm-hub00", nicOf("10.0.0.4"), "eth0")
	if err != nil {
		return "", err
	}
	text, err := render(p, "nvad.toml")
	return string(text), err
}
