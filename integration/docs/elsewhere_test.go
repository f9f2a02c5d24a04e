package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// elsewhere lists the commands that do not run here, by their beginning, with what runs them:
// a test, or a target of the Makefile that consists only of the command.
var elsewhere = []struct{ start, by string }{
	{"make build", "go test ./integration/service -run Package"},
	{"make deb && sudo apt install", "go test ./integration/service -run Service"},
	{"make debs", "go test ./integration/release -run Release"},
	{"make apt-repo", "go test ./integration/service -run Repository"},
	{"curl -fsSLO https://packages.example.com", "go test ./integration/service -run Repository"},
	{"gpg --show-keys", "go test ./integration/release -run Release"},
	{"sudo install -D -m 0644 nvad.gpg", "go test ./integration/service -run Repository"},
	{"sudo tee /etc/apt/sources.list.d/nvad.sources", "go test ./integration/service -run Repository"},
	{"sudo apt update", "go test ./integration/service -run Repository"},
	{"sudo apt install nvad", "go test ./integration/service -run Repository"},
	{"sudo apt install --only-upgrade nvad", "go test ./integration/service -run Repository"},
	{"sudo apt install ./nvad_0.1.0_amd64.deb", "go test ./integration/boot -run Boot"},
	{"sudo apt remove nvad", "go test ./integration/service -run Service"},
	{"curl -fsSL --remote-name-all https://packages.example.com", "go test ./integration/boot -run Boot"},
	{"gpgv --keyring ./nvad.gpg", "go test ./integration/release -run Release"},
	{"sha256sum --check --strict", "go test ./integration/release -run Release"},
	{"sudo systemctl start nvad", "go test ./integration/service -run Service"},
	{"sudo nvad flush", "go test ./integration/lifecycle -run FlushOffline"},
	{"sudo usermod -aG nvad-view", "go test ./integration/service -run Service"},
	{"make demo", "make demo"},
	{"make test", "make test"},
	{"make lab", "go test ./integration/scenarios -run TwoHubsHA"},
	{"make image", "go test ./integration/container -run TwoHubs"},
	{"podman ", "go test ./integration/container -run TwoHubs"},
	{"make hostile", "go test ./integration/hostile -run 'Neighbor|FiveNeighbors'"},
	{"make bench BENCH", "go test ./integration/bench -run EveryFigure"},
	{"make bench-failover", "go test ./integration/failover -run 'Failover|ColdStart'"},
	{"make bench-bfd", "go test ./integration/failover -run BFDHolds"},
	{"make bench-tunnel", "go test ./integration/bench/tunnels -run Tunnels"},
	{"make restart", "go test ./integration/failover -run 'Restart|Kill'"},
	{"go test ", "make test"},
	{"sudo nft list table inet nvad", "go test ./integration/hostile -run OverlayGuardsStay"},
	{"systemctl ", "go test ./integration/service -run Service"},
	{"journalctl -u nvad", "go test ./integration/lifecycle -run Journal"},
	{"az deployment group create", "go test ./integration/userdata -run Bicep"},
	{"nvactl azure diff --spoke", "go test ./integration/azure -run Nvactl"},
	{"nvactl drain --wait --azure-udr", "go test ./pkg/ctl -run DrainHop"}, // it waits half a minute
	{"nvactl drain --off --azure-udr", "go test ./pkg/ctl -run DrainHop"},
	{"nvactl events", "go test ./integration/lifecycle -run Events"}, // here nothing has happened at 03:12
	{"nvactl routes --at", "go test ./integration/lifecycle -run Events"},
	{"nvactl neighbors --at", "go test ./integration/lifecycle -run Events"},
	{"nvactl explain 10.110.0.0/16 --history", "go test ./integration/lifecycle -run Events"},
	{"nvactl --site site.toml ", "go test ./integration/scenarios -run Site"},
	{"az vm create", "go test ./integration/boot -run FromNothing"},
	{"az vm run-command invoke", "go test ./integration/boot -run FromNothing"},
	{"az role ", "go test ./integration/userdata -run TerraformRole"},
	{"sudo nvad public-key nva", "go test ./integration/imds -run WireGuardPeers"},
	{"sudo nvad bootstrap --peer", "go test ./integration/imds -run WireGuardPeers"},
	{"nvactl config convert --wg-quick", "go test ./pkg/ctl -run ConfigConvertWGQuick"},
	{"nvactl web", "go test ./pkg/ctl -run Web"},
	{"nvactl tunnels rotate", "go test ./integration/twohubs -run NewKey"},
	{"terraform ", "go test ./integration/userdata -run Terraform"},
}

// TestElsewhere: every entry of the table is shown on a page, and everything that it names
// exists.
func TestElsewhere(t *testing.T) {
	used := map[string]bool{}
	for _, p := range readPages(t) {
		for _, s := range p.shown(t) {
			for _, e := range elsewhere {
				used[e.start] = used[e.start] || strings.HasPrefix(s.text, e.start)
			}
			if by, err := runsElsewhere(s); err != nil {
				t.Errorf("%s:%d: %s: %v", s.page, s.line, s.text, err)
			} else if by == "" && checkKnown(s) != nil {
				t.Errorf("%s:%d: %s: %v", s.page, s.line, s.text, checkKnown(s))
			}
		}
	}
	for _, e := range elsewhere {
		if !used[e.start] {
			t.Errorf("no page shows %s", e.start)
		}
	}
}

// runsElsewhere returns what runs the statement, or an empty string if only this package does.
// It returns an error if the table names something that does not exist.
func runsElsewhere(s statement) (string, error) {
	for _, e := range elsewhere {
		if strings.HasPrefix(s.text, e.start) {
			return e.by, exists(strings.Fields(strings.ReplaceAll(e.by, "'", "")))
		}
	}
	return "", nil
}

// known are the programs that statements may use beside nvad and nvactl.
var known = strings.Fields("azure cat cd cp curl cut diff echo install ip jq mkdir mktemp openssl plain reboot sed sha256sum sort vtysh")

func checkKnown(s statement) error {
	for _, p := range s.programs {
		if p != "nvad" && p != "nvactl" && !slices.Contains(known, p) {
			return fmt.Errorf("%s neither runs here nor is it in the table of what runs elsewhere", p)
		}
	}
	return nil
}
