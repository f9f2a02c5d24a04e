package boot

import (
	"strings"
	"testing"
)

// polls turns polls of Azure on: the service of the package reaches Azure from its sandbox, and
// nvad mentions the answer.
func (n *nva) polls(t *testing.T) {
	t.Helper()
	n.Sh(t, "sed -i '1i azure.poll = 300' /etc/nvad/nvad.toml; systemctl reload nvad; systemctl start nvad-azure")
	out := n.Sh(t, `nvactl status; for i in $(nvactl routes -o json | sed -n 's/^ *"prefix": "\(.*\)",$/\1/p' | sort -u); do nvactl explain $i; done`)
	t.Log(out)
	if !strings.Contains(out, "asked 00:00:") || !strings.Contains(out, "\nAzure, 00:00:") || !strings.Contains(out, "Learned ") {
		t.Errorf("%s does not know what Azure did:\n%s", n.hub, out)
	}
}
