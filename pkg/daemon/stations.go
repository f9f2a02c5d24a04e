package daemon

import (
	"context"

	"github.com/nvad/nvad/pkg/bmp"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/telemetry"
)

// newStations returns the monitoring stations, which the engine feeds.
func (d *daemon) newStations() *bmp.Stations {
	return bmp.New(bmp.Options{
		Name: hostName(), Description: "nvad " + telemetry.Build().Version, Log: d.log,
		Begin: func(f *bmp.Feed) { d.engine.Monitor(f) }, Room: d.engine.MonitorRoom, Statistics: d.statistics,
	})
}

// statistics returns what the engine counts of each neighbor; nothing if it has ended.
func (d *daemon) statistics(ctx context.Context) (out []bmp.Statistics) {
	s, err := d.engine.Sample(ctx)
	if err != nil {
		return nil
	}
	for i := range s.Neighbors {
		n := &s.Neighbors[i]
		out = append(out, bmp.Statistics{Neighbor: n.Address, Tallies: n.Tallies, Malformed: n.Stats.Malformed, LocRIB: s.Prefixes})
	}
	return out
}

// stationsOf returns the monitoring stations of cfg.
func stationsOf(cfg *config.Config) (out []bmp.Station) {
	policies := map[config.BMPPolicy]bmp.Policy{config.BMPPre: bmp.Pre, config.BMPPost: bmp.Post, config.BMPBoth: bmp.Both}
	for _, b := range cfg.BMP {
		out = append(out, bmp.Station{Address: b.Address, Local: b.Local, Policy: policies[b.Policy], Statistics: b.Statistics})
	}
	return out
}
