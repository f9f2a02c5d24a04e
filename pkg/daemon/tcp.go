package daemon

import (
	"fmt"
	"sync"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
)

// tcp is what callers of the API over TCP have to show.
type tcp struct {
	mu    sync.Mutex // guards the rest
	api   config.API
	certs *api.Certificates // nil: not read yet
}

func tlsOptions(c config.API) api.TLSOptions {
	return api.TLSOptions{Certificate: c.Certificate, Key: c.Key, ClientCA: c.ClientCA, Admins: c.Admins}
}

// set takes the certificates of another configuration; the listeners stay. Where none
// could be read yet, that is left to the next attempt to listen.
func (t *tcp) set(c config.API) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.certs != nil {
		if err := t.certs.Set(tlsOptions(c)); err != nil {
			return fmt.Errorf("api: %w", err)
		}
	}
	t.api = c
	return nil
}

// certificates are those of all listeners.
func (t *tcp) certificates() (*api.Certificates, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.certs == nil {
		certs, err := api.NewCertificates(tlsOptions(t.api))
		if err != nil {
			return nil, err
		}
		t.certs = certs
	}
	return t.certs, nil
}
