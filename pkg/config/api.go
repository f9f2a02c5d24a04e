package config

import (
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// API says how the gRPC API is served over TCP, besides its Unix socket.
type API struct {
	Listen      []netip.AddrPort // empty: not over TCP
	Certificate string           // path of the daemon's certificate with its chain (PEM)
	Key         string           // path of the certificate's key (PEM)
	ClientCA    string           // path of the authorities that sign client certificates (PEM)
	Admins      []string         // clients that may make changes: "CN=..." or "OU=..." of their certificates
}

var apiTable = tomlfile.Single[Config, API]{
	Name: "api", Doc: "The gRPC API over TCP. The socket of [daemon] always serves it.",
	Of: func(c *Config) *API { return &c.API }, Fields: apiFields,
}

func apiFields(a *API) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "listen", Value: tomlfile.Listen(&a.Listen), Example: `["10.0.0.4:8443"]`, Impact: Restart,
			Doc: "Addresses that serve the API over TCP with mutual TLS, for nvactl --address. Needs certificate, key and " +
				"client-ca. Default: none."},
		{Key: "certificate", Value: tomlfile.Text(&a.Certificate, checkPath), Example: `"/etc/nvad/tls/nvad.crt"`,
			Doc: "PEM file with this NVA's certificate and its chain. A renewed file needs no reload."},
		{Key: "key", Value: tomlfile.Text(&a.Key, checkPath), Example: `"/etc/nvad/tls/nvad.key"`,
			Doc: "PEM file with the private key of the certificate."},
		{Key: "client-ca", Value: tomlfile.Text(&a.ClientCA, checkPath), Example: `"/etc/nvad/tls/clients.crt"`,
			Doc: "PEM file with the authorities that sign client certificates. Every client with such a certificate may read."},
		{Key: "admins", Value: tomlfile.Names(&a.Admins, subject), Example: `["CN=alice", "OU=network"]`,
			Doc: "Clients that may also make changes, by common name (CN=) or organisational unit (OU=) of their certificates. " +
				"Default: none."},
	}
}

// subject reads "CN=..." or "OU=...".
func subject(c tomlfile.Cell) (string, bool) {
	s, ok := tomlfile.Name(c)
	if kind, name, _ := strings.Cut(s, "="); ok && (kind != "CN" && kind != "OU" || name == "") {
		c.Fail(`want "CN=" or "OU=" and a name, got %s`, tomlfile.Show(s))
		return "", false
	}
	return s, ok
}

// api reports a TCP listener that could not authenticate its clients.
func (v *checker) api() {
	a := v.cfg.API
	if len(a.Listen) == 0 {
		return
	}
	for _, need := range []struct{ key, path string }{
		{"certificate", a.Certificate}, {"key", a.Key}, {"client-ca", a.ClientCA},
	} {
		if need.path == "" && !v.has("api."+need.key) {
			v.fail("api.listen", "the API is served over TCP only with mutual TLS, and %s is missing; set it", need.key)
		}
	}
}
