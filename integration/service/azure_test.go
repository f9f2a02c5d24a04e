package service

import (
	"strconv"
	"strings"

	"github.com/nvad/nvad/integration/lab"
)

// testAzure: the timer runs with nvad, and what it starts does nothing unless azure.poll is
// set. If it is, nvactl may report to nvad, although it is neither root nor anybody else's
// user; here it reports that there is no Azure.
func (b *bed) testAzure() {
	const timer, poll = "systemctl is-active nvad-azure.timer || true", "systemctl start nvad-azure 2>&1; systemctl show -P Result nvad-azure"
	if got := b.Sh(b.T, timer); got != "active\n" {
		b.Errorf("the timer is %q while nvad runs", got)
	}
	if got := b.Sh(b.T, poll); got != "success\n" {
		b.Errorf("without azure.poll: %s", got)
	}
	// It runs again within the minute, and the accuracy that the timer leaves to systemd.
	const next = "expr $(date -d \"$(systemctl list-timers --no-legend nvad-azure.timer | awk '{print $2, $3, $4}')\" +%s) - $(date +%s)"
	if left, err := strconv.Atoi(strings.TrimSpace(b.Sh(b.T, next+" || true"))); err != nil || left < 1 || left > 70 {
		b.Errorf("the next look is in %d s: %v", left, err)
	}
	if got := b.Sh(b.T, "nvactl status; journalctl -q -u nvad-azure.service -o cat"); strings.Contains(got, "Azure") {
		b.Errorf("without azure.poll: %s", got)
	}
	b.Sh(b.T, "cp /etc/nvad/nvad.toml /root/nvad.toml; printf '\\n[azure]\\npoll = 300\\n' >>/etc/nvad/nvad.toml; systemctl reload nvad")
	lab.Eventually(b.T, 2*patience, func() error { // the timer may be first
		_, err := b.Output(b.Context(), "sh", "-c", poll+" >/dev/null; nvactl status | grep 'the last poll failed'")
		return err
	})
	lab.Eventually(b.T, patience, func() error { // the next poll is not due, which is no failure
		_, err := b.Output(b.Context(), "sh", "-c", "systemctl start nvad-azure")
		return err
	})
	if got := b.Sh(b.T, "journalctl -q -u nvad-azure.service -o cat -p warning"); !strings.Contains(got, "nvactl: ") {
		b.Errorf("the failure is not in the journal: %s", got)
	}
	b.Log(b.Sh(b.T, "nvactl status | grep -A3 Azure; journalctl -q -u nvad-azure.service -o cat"))
	b.Sh(b.T, "cp /root/nvad.toml /etc/nvad/nvad.toml; systemctl reload nvad")
	if got := b.Sh(b.T, "nvactl status"); strings.Contains(got, "Azure") {
		b.Errorf("after polls were turned off: %s", got)
	}
	b.Sh(b.T, "systemctl stop nvad")
	if got := b.Sh(b.T, timer); got != "inactive\n" {
		b.Errorf("the timer is %q while nvad does not run", got)
	}
	b.Sh(b.T, "systemctl start nvad")
	b.converged()
	if got := b.Sh(b.T, timer+"; systemctl --failed --no-legend"); got != "active\n" {
		b.Errorf("after the next start: %q", got)
	}
}
