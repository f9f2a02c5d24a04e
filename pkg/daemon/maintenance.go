package daemon

import (
	"context"
	"time"

	"github.com/nvad/nvad/pkg/imds"
	"github.com/nvad/nvad/pkg/maintenance"
)

// byAzure is who wants a drain because of a scheduled event.
const byAzure = "scheduled event"

// nameTime bounds one wait for the VM's name; without it, it is asked again.
const nameTime = time.Minute

// maintain watches for Azure's scheduled events while the configuration says so.
func (d *daemon) maintain(ctx context.Context) error {
	enabled := func() bool { return d.config.get().Azure.ScheduledEvents }
	return maintenance.New(platform{imds.New()}, underMaintenance{d}, enabled, d.log).Run(ctx)
}

// platform is the metadata service, as maintenance asks it.
type platform struct{ *imds.Client }

// Name implements maintenance.Platform.
func (p platform) Name(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	in, err := p.Instance(ctx)
	if err != nil {
		return "", err
	}
	return in.Name, nil
}

// underMaintenance is the daemon, as maintenance acts on it.
type underMaintenance struct{ *daemon }

// Drain implements maintenance.Node.
func (d underMaintenance) Drain(ctx context.Context, reason string) (time.Duration, error) {
	return d.drain(ctx, byAzure, reason)
}

// Undrain implements maintenance.Node.
func (d underMaintenance) Undrain(ctx context.Context) error { return d.engine.Undrain(ctx, byAzure) }

// Hold implements maintenance.Node: neighbors are told AdminDown, which is no
// failure (RFC 5882 3.2), and are not watched either.
func (d underMaintenance) Hold(on bool) { d.liveness.hold(on) }
