package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// TestAzurePoll: nvad in the hub learns from Azure what became of its prefixes, by an identity
// that has the role of the documentation.
func TestAzurePoll(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(configs(t, "hub00.toml"))
	if err != nil {
		t.Fatal(err)
	}
	a := &azurePolls{T: t, file: filepath.Join(t.TempDir(), "hub00.toml"), text: string(text)}
	a.configure("")
	a.Lab = lab.UpOptions(t, lab.Options{Scenario: lab.DefaultScenario, Manager: true, Role: configs(t, "azure", "role-reader.json"), NVAs: map[string]lab.NVA{
		"vm-hub00": {Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: a.file},
	}})
	a.off()
	a.seen()
	a.wrong()
	a.failing()
	a.refused()
}

// azurePolls is nvad in vm-hub00, whose configuration changes.
type azurePolls struct {
	*testing.T
	*lab.Lab
	file, text string
}

// configure writes the file with additional lines.
func (a *azurePolls) configure(more string) {
	a.Helper()
	if err := os.WriteFile(a.file, []byte(a.text+"\n"+more), 0o644); err != nil {
		a.Fatal(err)
	}
}

// anew sets azure.poll, which begins anew: what was seen before is forgotten.
func (a *azurePolls) anew() {
	a.Helper()
	for _, more := range []string{"", "[azure]\npoll = 300\n"} {
		a.configure(more)
		nvactl(a.T, a.Lab, "reload")
	}
}

// poll asks Azure after a new beginning and returns what nvactl prints.
func (a *azurePolls) poll() string {
	a.Helper()
	a.anew()
	out, err := a.ask("azure poll")
	if err != nil {
		a.Fatal(err)
	}
	return out
}

// ask runs nvactl on vm-hub00.
func (a *azurePolls) ask(command string) (string, error) {
	return a.Step(a.Context(), "vm-hub00# nvactl "+command)
}

// want fails unless nvactl's output has all texts, whatever its lines.
func (a *azurePolls) want(command string, texts ...string) {
	a.Helper()
	out := strings.Join(strings.Fields(nvactl(a.T, a.Lab, command)), " ")
	for _, text := range texts {
		if !strings.Contains(out, text) {
			a.Errorf("%s does not say %q:\n%s", command, text, out)
		}
	}
}

// off: without azure.poll, a poll asks nothing.
func (a *azurePolls) off() {
	if out, err := a.ask("azure poll"); err != nil || out != "not asked: azure.poll is 0 (off)\n" {
		a.Errorf("%v: %s", err, out)
	}
}

// seen: what is in order is said to be, with its age. Until the next poll is due, there is
// none.
func (a *azurePolls) seen() {
	a.Log(a.poll())
	a.Log(nvactl(a.T, a.Lab, "status"))
	a.Log(nvactl(a.T, a.Lab, "explain 10.110.0.0/16"))
	a.want("explain 10.110.0.0/16", "Azure, 00:00:0", "ago: 10.110.0.0/16 Learned by 10.0.210.4 and 10.0.210.5", "NIC its effective routes lead where nvad said")
	a.want("routes lookup 10.110.0.4", "Azure, 00:00:0", "ago: 10.110.0.0/16 Learned by 10.0.210.4 and 10.0.210.5")
	a.want("status", "Azure asked 00:00:0")
	if out, err := a.ask("azure poll"); err != nil || !strings.HasPrefix(out, "not asked: the last poll began ") {
		a.Errorf("%v: %s", err, out)
	}
}

// wrong: nvactl status counts what is wrong with no prefix, too.
func (a *azurePolls) wrong() {
	forwarding := func(on bool) {
		a.ChangeAzure(a.T, func(s *arm.State) {
			arm.Change(s, arm.ID(arm.TypeNIC, "vm-hub00-nic"), func(nic *armnetwork.Interface) { nic.Properties.EnableIPForwarding = &on })
		})
	}
	forwarding(false)
	if out := a.poll(); out != "1 prefix, 1 finding\n" {
		a.Errorf("without IP forwarding: %s", out)
	}
	a.want("status", "1 prefix, 1 finding", "(nvactl azure diff)")
	forwarding(true)
}

// failing: nvactl status says that Azure gave no answer, and why.
func (a *azurePolls) failing() {
	a.anew()
	begin := time.Now()
	out, err := a.Output("vm-hub00", "env", "SSL_CERT_FILE=/dev/null", a.Options.Nvactl, "--socket", a.NVASocket("vm-hub00"), "azure", "poll")
	if err == nil {
		a.Errorf("without the authority of Azure's certificates: %s", out)
	}
	a.Logf("an authority that is not trusted is noticed after %v", time.Since(begin))
	a.want("status", "Azure not asked yet; the last poll failed 00:00:0", "certificate")
	a.want("explain 10.110.0.0/16", "Azure: not known yet")
}

// refused: where the identity may only read, the drain happens without Azure, and the exit code
// says so.
func (a *azurePolls) refused() {
	a.ChangeAzure(a.T, func(s *arm.State) {
		s.Site("", "").RouteTable("rt-spokes", true, arm.UserRoute{Name: "to-onprem", Prefix: "10.100.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.6"}})
	})
	out, err := a.ask("drain --azure-udr rg-nva/rt-spokes/to-onprem")
	if err == nil || !strings.Contains(out, "Azure still sends packets to 10.0.0.4") || !strings.Contains(out, "lacks the permission Microsoft.Network/routeTables/routes/") {
		a.Errorf("%v: %s", err, out)
	}
	a.want("status", "Draining")
}
