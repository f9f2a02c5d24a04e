package daemon

import (
	"context"
	"fmt"
	"net"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/listen"
	"github.com/nvad/nvad/pkg/telemetry"
)

// tcp is the API's service over TCP: its listeners and what its callers have to
// show.
type tcp struct {
	listeners []net.Listener
	certs     *api.Certificates // nil: not served over TCP
}

// openTCP opens the listeners of the configuration.
func openTCP(c config.API) (*tcp, error) {
	t := &tcp{}
	if len(c.Listen) == 0 {
		return t, nil
	}
	var err error
	if t.certs, err = api.NewCertificates(tlsOptions(c)); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	for _, at := range c.Listen {
		l, err := listen.TCP(at)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("api: %w", err)
		}
		t.listeners = append(t.listeners, l)
	}
	return t, nil
}

func tlsOptions(c config.API) api.TLSOptions {
	return api.TLSOptions{Certificate: c.Certificate, Key: c.Key, ClientCA: c.ClientCA, Admins: c.Admins}
}

// set takes the certificates of another configuration; the listeners stay.
func (t *tcp) set(c config.API) error {
	if t.certs == nil {
		return nil
	}
	return t.certs.Set(tlsOptions(c))
}

func (t *tcp) close() {
	for _, l := range t.listeners {
		_ = l.Close()
	}
}

// serveTCP starts a part for each listener.
func (d *daemon) serveTCP(p *parts) {
	for _, l := range d.tcp.listeners {
		s := api.NewTLSServer(api.Params{Reader: d, Controller: d, Build: telemetry.Build(), Limits: d.clients.calls}, d.tcp.certs)
		p.run("api at "+l.Addr().String(), func(ctx context.Context) error { return api.Serve(ctx, d.clients.tcp.Listener(l), s) })
	}
}
